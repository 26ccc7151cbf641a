"""Keeps a worker running as a child process of `up`, and reports whether it is at work."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping

READY = "ready"  # the line that a worker prints after its first look at the log
_COMMAND = (sys.executable, "-m", "projections", "worker", "--stop-at-eof")
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 30.0  # seconds between a failure and the next start
_STEADY_SECONDS = 60.0  # a worker that ran for longer is started again after the first delay
_STOP_SECONDS = 15.0  # to finish its batch, before it is killed


class WorkerProcess:
    """Runs one worker, and starts it again after each failure with a longer delay.

    If `up` dies, the worker's standard input ends, and so the worker stops.
    """

    def __init__(self, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._environ = environ
        self._say = say
        self._at_work = False

    async def is_at_work(self) -> bool:
        return self._at_work

    async def keep_running(self) -> None:
        """Run a worker until this task is cancelled; the worker then finishes its batch."""
        clock = asyncio.get_running_loop().time
        delay = _FIRST_DELAY
        while True:
            begun = clock()
            code = await self._run()
            delay = _FIRST_DELAY if clock() - begun > _STEADY_SECONDS else delay
            self._say(f"the worker stopped with exit code {code}; starting it again in {delay:.0f} s")
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)

    async def _run(self) -> int:
        # A process session of its own: Ctrl-C in the terminal is for `up`, which stops the worker after the server.
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, stdin=PIPE, stdout=PIPE, env=dict(self._environ), start_new_session=True
        )
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            async for line in process.stdout:
                self._at_work = self._at_work or line.decode().strip() == READY
            return await process.wait()
        finally:
            self._at_work = False
            await _end(process)


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
