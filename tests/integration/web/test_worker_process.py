"""The worker below `up`: what it says is counted, whatever it says, and no line of it ends the server."""

import asyncio
import sys

import pytest

from ingest.metrics import EVENTS_FOLDED
from projections.up.worker_process import WorkerProcess

MANY = """
import json, sys
print('ready', json.dumps([[f'source-{n}', 'participants', n] for n in range(5_000)]), flush=True)
sys.stdin.read()
"""
SAYS = "import sys; print(sys.argv[1], flush=True); sys.stdin.read()"


def worker(said: list[str], line: str) -> WorkerProcess:
    return WorkerProcess({}, said.append, (sys.executable, "-c", SAYS, line))


def test_a_worker_of_thousands_of_sources_says_how_much_it_folded() -> None:
    """In a line that is longer than what a stream reads at once."""

    async def scenario() -> None:
        process = WorkerProcess({}, print, (sys.executable, "-c", MANY))
        running = asyncio.create_task(process.keep_running())
        while not process.readings():
            assert not running.done()
            await asyncio.sleep(0.02)
        assert await process.hindrance() is None
        assert {reading.metric for reading in process.readings()} == {EVENTS_FOLDED}
        assert sum(float(str(reading.value)) for reading in process.readings()) == sum(range(5_000))
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(scenario())


@pytest.mark.parametrize("line", ['ready [["movemint", "partici', "ready 7", "ready [[1]]"])
def test_a_worker_that_says_what_cannot_be_read_is_started_again(line: str) -> None:
    async def scenario() -> None:
        said: list[str] = []
        running = asyncio.create_task(worker(said, line).keep_running())
        while not said:
            assert not running.done()
            await asyncio.sleep(0.02)
        assert said[0].startswith("the worker said what cannot be read and was killed")
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(scenario())
