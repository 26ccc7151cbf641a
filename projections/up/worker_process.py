"""Keeps a worker running as a child process of `up`, and tells whether it folds."""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Callable, Mapping

import click
import msgspec
from pydantic_core import to_json

from ingest.metrics import EVENTS_FOLDED, Reading, readings_of
from projections.folding.pulse import Pulse

EventsByProjection = Mapping[tuple[str, str], int]  # events, by source and projection

READY, AWAY = "ready", "away"  # what a worker prints after a look at the log: it has read it, or cannot
BEAT_SECONDS = 1.0  # between two such lines of a worker that is a child of `up`
_COMMAND = (sys.executable, "-m", "projections", "worker", "--stop-at-eof")
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 5.0  # seconds between a failure and the next start
_STEADY_SECONDS = 60.0  # a worker that ran for longer is started again after the first delay
_STOP_SECONDS = 15.0  # to finish its batch, before it is killed
_STUCK_SECONDS = 15.0  # without a line, after which it is replaced
_LONGEST_LINE = 16_777_216  # bytes: some hundred per source
_START_SECONDS = 120.0  # until its first line, also on a busy machine


def beats(every: float, folded: EventsByProjection | None = None) -> Callable[[bool], None]:
    """What prints `READY` or `AWAY` when it is called: each change, and otherwise every so many seconds at most.

    `folded`: what the worker has folded so far, printed behind it as JSON.
    """
    printed, due = "", 0.0

    def beat(is_read: bool) -> None:  # noqa: FBT001 - the worker's own signature
        nonlocal printed, due
        state = READY if is_read else AWAY
        if state != printed or time.monotonic() >= due:
            printed, due = state, time.monotonic() + every
            numbers = (
                None if folded is None else [[*key, number] for key, number in [*folded.items()]]
            )  # threads count on
            click.echo(state if numbers is None else f"{state} {to_json(numbers).decode()}")

    return beat


_read_folded = msgspec.json.Decoder(list[tuple[str, str, int]]).decode


class WorkerProcess:
    """Runs one worker, starts it again after each failure, and replaces it when it does not move.

    If `up` dies, the worker's standard input ends, and so the worker stops.
    """

    def __init__(
        self, environ: Mapping[str, str], say: Callable[[str], None], command: tuple[str, ...] = _COMMAND
    ) -> None:
        self._environ = environ
        self._say = say
        self._command = command
        self._pulse = Pulse()
        self._folded: Counter[tuple[str, str]] = Counter()  # by this worker
        self._folded_before: Counter[tuple[str, str]] = Counter()  # by the workers before it
        self.hindrance = self._pulse.hindrance

    def readings(self) -> list[Reading]:
        """The metrics of all workers that ran here."""
        in_all = Counter(self._folded_before)
        in_all.update(self._folded)
        return readings_of(EVENTS_FOLDED, in_all)

    async def keep_running(self) -> None:
        """Run a worker until this task is cancelled; the worker then finishes its batch."""
        clock = asyncio.get_running_loop().time
        delay = _FIRST_DELAY
        while True:
            begun = clock()
            why = await self._run()
            delay = _FIRST_DELAY if clock() - begun > _STEADY_SECONDS else delay
            self._say(f"the worker {why}; starting it again in {delay:.1f} s")
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)

    async def _run(self) -> str:
        """Run a worker to its end; gives how it ended."""
        # A process session of its own: Ctrl-C in the terminal is for `up`, which stops the worker after the server.
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            stdout=PIPE,
            env=dict(self._environ),
            start_new_session=True,
            limit=_LONGEST_LINE,
        )
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            while await self._moves(process.stdout):
                pass
            return f"stopped with exit code {await process.wait()}"
        except (TimeoutError, ValueError) as error:  # ValueError: a line that was cut, or is none of a worker's
            process.kill()
            await process.wait()
            how = "did not move any more" if isinstance(error, TimeoutError) else "said what cannot be read"
            return f"{how} and was killed"
        finally:
            self._pulse.stop()
            self._folded_before.update(self._folded)
            self._folded.clear()
            await _end(process)

    async def _moves(self, lines: asyncio.StreamReader) -> bool:
        """Wait for the worker's next line; False at its end. Raises `TimeoutError` if none comes in time."""
        async with asyncio.timeout(_STUCK_SECONDS if self._pulse.has_begun else _START_SECONDS):
            state, _, folded = (await lines.readline()).decode().strip().partition(" ")
        if state:
            self._pulse.beat(state == READY)
            for source, name, number in _read_folded(folded or "[]"):
                self._folded[source, name] = number
        return bool(state)


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    process.stdin.close()
    ended = asyncio.ensure_future(process.wait())
    # Not with `asyncio.timeout`: in a task that was cancelled, Python 3.11.2 raises another error than `TimeoutError`.
    await asyncio.wait([ended], timeout=_STOP_SECONDS)
    if not ended.done():
        process.kill()
    await ended
