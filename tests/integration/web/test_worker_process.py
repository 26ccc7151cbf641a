"""The worker below `up`: what it says is counted, whatever it says, and no line of it ends the server."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from ingest.metrics import EVENTS_FOLDED
from projections.up.worker_process import WorkerProcess, beats

MANY = """
import json, sys
print('ready', json.dumps([[f'source-{n}', 'participants', n] for n in range(5_000)]), flush=True)
sys.stdin.read()
"""
SAYS = "import sys; print(sys.argv[1], flush=True); sys.stdin.read()"
ENDS = "import sys; print(sys.argv[1], flush=True); sys.exit(3)"
STAYS = "import sys, time; print(sys.argv[1], flush=True); time.sleep(600)"
MODULE = "projections.up.worker_process"


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


@asynccontextmanager
async def kept(said: list[str], program: str, *args: str) -> AsyncIterator[WorkerProcess]:
    """A program that is kept running as if it were a worker."""
    process = WorkerProcess({}, said.append, (sys.executable, "-c", program, *args))
    running = asyncio.create_task(process.keep_running())
    try:
        yield process
    finally:
        running.cancel()
        await asyncio.wait([running])


async def come(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


def children() -> list[psutil.Process]:
    """Those that run, but for the one that other tests have their commands run by."""
    running = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in running if "tests.forked" not in child.cmdline()]


def test_a_worker_that_ends_again_and_again_is_started_ever_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}._FIRST_DELAY", 0.1)
    monkeypatch.setattr(f"{MODULE}._LONGEST_DELAY", 0.3)
    said: list[str] = []

    async def scenario(times: int) -> None:
        async with kept(said, ENDS, 'ready [["movemint", "participants", 5]]') as process:
            await come(lambda: len(said) >= times)
            [reading] = process.readings()
            assert reading.value == 5 * len(said), "what each worker has folded is counted once"
            assert await process.hindrance() == "it is starting"

    asyncio.run(scenario(4))
    starts = [f"the worker stopped with exit code 3; starting it again in {delay} s" for delay in (0.1, 0.2, 0.3, 0.3)]
    assert said[:4] == starts
    monkeypatch.setattr(f"{MODULE}._STEADY_SECONDS", 0.0)
    said.clear()
    asyncio.run(scenario(3))
    assert {line[-5:] for line in said} == {"0.1 s"}, "one that ran for long is started at once"


@pytest.mark.parametrize(
    ("program", "bound"), [(STAYS, "_STUCK_SECONDS"), ("import time; time.sleep(600)", "_START_SECONDS")]
)
def test_a_worker_that_says_nothing_is_killed_and_started_again(
    program: str, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has longer until its first line, which a busy machine keeps back."""
    monkeypatch.setattr(f"{MODULE}._STUCK_SECONDS", 600.0)
    monkeypatch.setattr(f"{MODULE}._START_SECONDS", 600.0)
    monkeypatch.setattr(f"{MODULE}.{bound}", 0.5)
    monkeypatch.setattr(f"{MODULE}._STOP_SECONDS", 600.0)
    said: list[str] = []

    async def scenario() -> None:
        async with kept(said, program, "ready"):
            await come(lambda: said)
            monkeypatch.setattr(f"{MODULE}._STOP_SECONDS", 0.2)  # for the next one, at the end

    asyncio.run(scenario())
    assert said[0].startswith("the worker did not move any more and was killed; starting it again in 0.5 s")
    assert children() == []


def test_a_worker_that_cannot_read_the_log_is_not_ready() -> None:
    async def scenario() -> None:
        said: list[str] = []
        async with kept(said, SAYS, "away") as process:
            await come(lambda: process._pulse.has_begun)
            assert await process.hindrance() == "it cannot read the log"

    asyncio.run(scenario())


FINISHES = """
import sys, time
from pathlib import Path
print('ready', flush=True)
sys.stdin.read()
time.sleep(0.2)
Path(sys.argv[1]).touch()
"""


def test_a_worker_finishes_before_the_server_ends_and_is_killed_if_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    others = {*children()}  # of tests before

    async def scenario(program: str, argument: str) -> None:
        async with kept(said, program, argument) as process:
            await come(lambda: process._pulse.has_begun)
        assert not {*children()} - others

    asyncio.run(scenario(FINISHES, str(tmp_path / "finished")))
    assert (tmp_path / "finished").exists()
    monkeypatch.setattr(f"{MODULE}._STOP_SECONDS", 0.2)
    asyncio.run(scenario(STAYS, "ready"))
    assert said == []


def test_a_worker_says_each_change_at_once_and_otherwise_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    seldom, often = beats(600.0), beats(0.0, {("movemint", "participants"): 3})
    for is_read in (True, True, False, False, True):
        seldom(is_read)
    assert capsys.readouterr().out.split() == ["ready", "away", "ready"]
    for _ in range(2):
        often(True)
    assert capsys.readouterr().out.splitlines() == ['ready [["movemint","participants",3]]'] * 2
