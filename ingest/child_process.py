"""Keeps a program running as a child process: started again after each end, replaced when it does not move.

The child prints a line now and then, by which it is seen to move. If this program dies, however it dies, the child's
standard input ends, and so the child stops.
"""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ingest.failures import Failure

LONGEST_LINE = 16_777_216  # bytes: some hundred for each of many thousand sources
_PIECES = 8  # of a wait for a line


class EndsAgainAndAgain(Failure):
    """A child that ends soon after each start; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a child may take: until its first line, until each next one, and to end when it is told.

    After a failure it is started again after `first_delay`, then ever later, up to `longest_delay`; one that ran for
    longer than `steady` after the first again. `early_ends`: so many sooner ends in a row are too many; None: never.
    """

    start: float = 120.0  # also on a busy machine
    stuck: float = 15.0
    stop: float = 15.0
    first_delay: float = 0.5
    longest_delay: float = 5.0
    steady: float = 60.0
    early_ends: int | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """What a child runs, and what it is given. `greeting`: the first bytes of its standard input."""

    command: Sequence[str]
    environ: Mapping[str, str]
    greeting: bytes = b""
    descriptors: tuple[int, ...] = ()


class ChildProcess:
    """One child. `name`: who it is, in messages for `say`. `hear` takes each of its lines, and raises `ValueError` for
    what it cannot read; `gone` is called when the child has ended.
    """

    def __init__(
        self,
        name: str,
        program: Program,
        say: Callable[[str], None],
        hear: Callable[[bytes], None],
        gone: Callable[[], None],
        patience: Patience,
    ) -> None:
        self._name, self._program, self._patience = name, program, patience
        self._say, self._hear, self._gone = say, hear, gone
        self._process: Process | None = None
        self.has_begun = asyncio.Event()  # the child that runs has printed its first line

    @property
    def pid(self) -> int | None:
        """The process's number; None while there is none."""
        return None if self._process is None else self._process.pid

    def tell(self, line: bytes) -> None:
        """Write to the child's standard input, if there is a child that can read it; nothing waits for it."""
        if self._process is not None:
            assert self._process.stdin is not None  # noqa: S101 - it is a pipe
            if not self._process.stdin.is_closing():  # the child may be gone, and its last lines still to be heard
                self._process.stdin.write(line)

    async def keep_running(self) -> None:
        """Run the child until this task is cancelled, which lets it end in order. Raises `EndsAgainAndAgain`."""
        clock, patience = asyncio.get_running_loop().time, self._patience
        delay, early = patience.first_delay, 0
        while True:
            begun = clock()
            how = await self._run()
            if clock() - begun > patience.steady:
                delay, early = patience.first_delay, 0
            early += 1
            if early == patience.early_ends:
                raise EndsAgainAndAgain(
                    f"{self._name} {how}: {early} ends in a row soon after its start; "
                    "mend what the lines before this one say, then start again"
                )
            self._say(f"{self._name} {how}; starting it again in {delay:.1f} s")
            await asyncio.sleep(delay)
            delay = min(2 * delay, patience.longest_delay)

    async def _run(self) -> str:
        """Run the child to its end; gives how it ended."""
        try:
            process = await _start(self._program)
        except OSError as error:  # such as no memory for another process
            return f"could not be started ({error.strerror})"
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        self._process = process
        self.tell(self._program.greeting)
        try:
            while await self._moves(process.stdout):
                self.has_begun.set()
            return f"stopped with exit code {await process.wait()}"
        except (TimeoutError, ValueError) as error:  # ValueError: a line that was cut, or is none of such a child's
            process.kill()
            await process.wait()
            how = "did not move any more" if isinstance(error, TimeoutError) else "said what cannot be read"
            return f"{how} and was killed"
        finally:
            self._process = None
            self.has_begun.clear()
            self._gone()
            await _end(process, self._patience.stop)

    async def _moves(self, lines: asyncio.StreamReader) -> bool:
        """Wait for the child's next line; False at its end. Raises `TimeoutError` if none comes in time."""
        line = await _next_line(lines, self._patience.stuck if self.has_begun.is_set() else self._patience.start)
        if line:
            self._hear(line)
        return bool(line)


async def _start(program: Program) -> Process:
    # A process session of its own: Ctrl-C in the terminal is for this program, which stops its children in order.
    return await asyncio.create_subprocess_exec(
        *program.command,
        stdin=PIPE,
        stdout=PIPE,
        env=dict(program.environ),
        pass_fds=program.descriptors,
        start_new_session=True,
        limit=LONGEST_LINE,
    )


async def _next_line(lines: asyncio.StreamReader, seconds: float) -> bytes:
    """The next line; empty at the end. Raises `TimeoutError`.

    It is waited for in pieces, so that time in which this program stood still itself, as in a container that is paused,
    is not counted against the child: no more than one piece of it.
    """
    reading = asyncio.ensure_future(lines.readline())
    try:
        for _ in range(_PIECES):
            if (await asyncio.wait([reading], timeout=seconds / _PIECES))[0]:
                return reading.result()
        raise TimeoutError
    finally:
        reading.cancel()


async def _end(process: Process, seconds: float) -> None:
    if process.returncode is not None:
        return
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    process.stdin.close()
    ended = asyncio.ensure_future(process.wait())
    # Not with `asyncio.timeout`: in a task that was cancelled, Python 3.11.2 raises another error than `TimeoutError`.
    await asyncio.wait([ended], timeout=seconds)
    if not ended.done():
        process.kill()
    await ended
