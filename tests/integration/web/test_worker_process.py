"""The worker below `up`: what it says is counted, whatever it says, and no line of it ends the server."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import uvloop

from ingest.child_process import ChildProcess, EndsAgainAndAgain, Patience, Program
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
HANGS_ONCE = """
import sys, time
from pathlib import Path
hung = Path(sys.argv[2])
if not hung.exists():
    hung.touch()
    if sys.argv[1]:
        print(sys.argv[1], flush=True)
    time.sleep(600)
print("ready", flush=True)
sys.stdin.read()
"""
LONG = 600.0  # seconds


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
async def kept(
    said: list[str],
    program: str,
    *args: str,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> AsyncIterator[WorkerProcess]:
    """A program that is kept running as if it were a worker."""
    process = WorkerProcess({}, said.append, (sys.executable, "-c", program, *args), patience)
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


def test_a_worker_that_ends_again_and_again_is_started_ever_later() -> None:
    said: list[str] = []

    async def scenario(times: int, patience: Patience) -> None:
        async with kept(said, ENDS, 'ready [["movemint", "participants", 5]]', patience=patience) as process:
            await come(lambda: len(said) >= times)
            [reading] = process.readings()
            assert reading.value == 5 * len(said), "what each worker has folded is counted once"
            assert await process.hindrance() == "it is starting"

    asyncio.run(scenario(4, Patience(first_delay=0.1, longest_delay=0.3)))
    starts = [f"the worker stopped with exit code 3; starting it again in {delay} s" for delay in (0.1, 0.2, 0.3, 0.3)]
    assert said[:4] == starts
    said.clear()
    asyncio.run(scenario(3, Patience(first_delay=0.1, steady=0.0)))
    assert {line[-5:] for line in said} == {"0.1 s"}, "one that ran for long is started at once"


@pytest.mark.parametrize(("line", "patience"), [("ready", Patience(LONG, 0.5, LONG)), ("", Patience(0.5, LONG, LONG))])
def test_a_worker_that_says_nothing_is_killed_and_started_again(line: str, patience: Patience, tmp_path: Path) -> None:
    """It has longer until its first line, which a busy machine keeps back."""
    said: list[str] = []

    async def scenario() -> None:
        async with kept(said, HANGS_ONCE, line, str(tmp_path / "hung"), patience=patience):
            await come(lambda: said)

    asyncio.run(scenario())
    assert said[0].startswith("the worker did not move any more and was killed; starting it again in 0.5 s")
    assert children() == []


TICKS = """
import sys, threading
while not threading.Event().wait(0.1):
    print("ready", flush=True)
"""


def test_time_in_which_the_server_itself_stood_still_is_not_counted_against_the_worker() -> None:
    """As in a container that is paused, in which the worker stands still as well."""
    said: list[str] = []

    async def scenario() -> None:
        async with kept(said, TICKS, patience=Patience(stuck=2.0, stop=0.1)) as process:
            await come(lambda: process._pulse.has_begun)
            [child] = [each for each in children() if TICKS in each.cmdline()]
            child.suspend()
            time.sleep(3.0)  # noqa: ASYNC251 - the loop stands still
            child.resume()
            process._pulse.stop()
            await come(lambda: process._pulse.has_begun)

    asyncio.run(scenario())
    assert said == []


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


def test_a_worker_finishes_before_the_server_ends_and_is_killed_if_it_does_not(tmp_path: Path) -> None:
    said: list[str] = []
    others = {*children()}  # of tests before

    async def scenario(program: str, argument: str, patience: Patience) -> None:
        async with kept(said, program, argument, patience=patience) as process:
            await come(lambda: process._pulse.has_begun)
        assert not {*children()} - others

    asyncio.run(scenario(FINISHES, str(tmp_path / "finished"), Patience()))
    assert (tmp_path / "finished").exists()
    asyncio.run(scenario(STAYS, "ready", Patience(stop=0.2)))
    assert said == []


def test_a_child_that_always_ends_at_once_is_given_up_but_one_that_runs_for_a_while_never() -> None:
    said: list[str] = []

    async def scenario(steady: float) -> None:
        patience = Patience(first_delay=0.01, longest_delay=0.01, steady=steady, early_ends=3)
        program = Program((sys.executable, "-c", ENDS, "x"), {})
        child = ChildProcess("it", program, said.append, lambda _: None, lambda: None, patience)
        running = asyncio.create_task(child.keep_running())
        await come(lambda: running.done() or len(said) > 3)
        running.cancel()
        await running

    with pytest.raises(
        EndsAgainAndAgain, match="it stopped with exit code 3: 3 ends in a row soon after its start; mend"
    ):
        asyncio.run(scenario(LONG))
    assert len(said) == 2
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scenario(0.0))


ASKS = "for _ in range(2_000): print('asks')"


def test_a_child_that_has_ended_before_all_its_lines_are_heard_is_told_nothing() -> None:
    """The loop of servers refuses to write to a pipe that is closed."""
    said: list[str] = []
    heard: list[bytes] = []

    async def scenario() -> None:
        def hear(line: bytes) -> None:
            heard.append(line)
            child.tell(b"answer")

        program = Program((sys.executable, "-c", ASKS), {})
        child = ChildProcess("it", program, said.append, hear, lambda: None, Patience(first_delay=LONG))
        running = asyncio.create_task(child.keep_running())
        await come(lambda: said or running.done())
        running.cancel()
        await asyncio.wait([running])

    uvloop.run(scenario())
    assert said == [f"it stopped with exit code 0; starting it again in {LONG} s"]
    assert len(heard) == 2_000


def test_a_child_that_cannot_be_started_is_tried_again() -> None:
    said: list[str] = []

    async def scenario() -> None:
        program = Program(("/no/such/program",), {})
        child = ChildProcess("it", program, said.append, lambda _: None, lambda: None, Patience(first_delay=0.01))
        running = asyncio.create_task(child.keep_running())
        await come(lambda: len(said) > 1)
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(scenario())
    assert said[0] == "it could not be started (No such file or directory); starting it again in 0.0 s"


def test_a_worker_says_each_change_at_once_and_otherwise_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    seldom, often = beats(600.0), beats(0.0, {("movemint", "participants"): 3})
    for is_read in (True, True, False, False, True):
        seldom(is_read)
    assert capsys.readouterr().out.split() == ["ready", "away", "ready"]
    for _ in range(2):
        often(True)
    assert capsys.readouterr().out.splitlines() == ['ready [["movemint","participants",3]]'] * 2
