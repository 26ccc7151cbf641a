"""Promise 16: `up` killed at any step of its starting or stopping, its children left alive: the next start is right."""

import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ingest import postgres
from ingest.postgres.processes import processes_in
from ingest.postgres.running import running as server_of
from tests import model
from tests.owned_folder import cluster, kept, write
from tests.program import Running, deliver, environ, running, until

LAST_LINE = "^Ctrl-C"
# What a child does is seen from outside, so it may be over too soon to be met; all else is met for certain.
SEEN = ("the server is", "initdb is")
SHARES = 10  # a run takes every tenth step, each day other ones; TESTS_EVERY_STEP=1 takes all of them, in some minutes
SAME = r"os\.ch\w+ .*(lock|port)$"  # to whom such a file belongs makes no difference: leaving these out saves a minute
# Some of each kind: without them the steps are not what they are taken for.
SURE = {
    "start: run initdb", "start: run pg_ctl", "start: commit 2", "start: statement create table", "start: run worker",
    "stop: the server stops", "stop: the worker is waited for", "stop: signal 2",
}  # fmt: skip


@contextmanager
def new_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rosterlog-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "data"


@contextmanager
def up(data: Path, step: str) -> Iterator[Running]:
    """`rosterlog up`, which is killed at a step; its children go on."""
    env = environ(MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode(), ROSTERLOG_DATA_DIR=str(data))
    command = (sys.executable, "-m", "tests.steps", str(data), step, "projections")
    with running("up", "--port", "0", env=env, command=command) as program:
        yield program


def store(program: Running, content: bytes) -> None:
    """A delivery, which is answered 200, to an `up` that has started."""
    program.line(LAST_LINE)
    port = int(program.line(r"http://127.0.0.1:(\d+)/webhooks")[1])
    assert deliver(port, content)[0] == 200


def is_killed_at(step: str, data: Path, content: bytes) -> bool:
    """Run `up` to the step, stopping it after a delivery for a step of that; gives whether it met the step."""
    with up(data, step) as program:
        if step.startswith("stop:"):
            store(program, content)
            program.process.send_signal(signal.SIGINT)
        until(lambda: program.process.poll() is not None or any(re.match(LAST_LINE, line) for line in program.lines))
    return program.process.returncode == -signal.SIGKILL


def check(data: Path, expected: Sequence[int]) -> None:
    """The next start has one server, with all that was written before; it is written to once more."""
    with postgres.server(data, print) as server:
        conninfo = make_conninfo(server.conninfo, dbname="postgres")
        write(conninfo, len(expected))
        assert kept(conninfo) == [*expected, len(expected)]
        found = processes_in(cluster(data).data, cluster(data).account)
        assert {_parent(pid) for pid in found.others} == {found.postmaster}


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def without_sync(data: Path) -> None:
    """Make the database, which need not survive a power cut here."""
    with postgres.server(data, print) as server, psycopg.connect(server.conninfo, autocommit=True) as connection:
        connection.execute("alter system set fsync = off")


def share(steps: Sequence[str]) -> Sequence[str]:
    """The steps that this run takes."""
    if os.environ.get("TESTS_EVERY_STEP"):
        return steps
    return steps[datetime.now(UTC).date().toordinal() % SHARES :: SHARES]


@pytest.fixture(scope="module")
def steps() -> list[str]:
    """Every step of a first start and of a stop, in their order."""
    with new_folder() as data, up(data, "") as program:
        store(program, model.body(1))
        assert program.stop() == 0
    taken = [line.removeprefix("step ") for line in program.lines if line.startswith("step ")]
    assert set(taken) >= SURE
    return taken


@pytest.mark.slow
@pytest.mark.parametrize("half", [0, 1])
def test_promise_16_killed_at_any_step_of_the_first_start_of_a_server(steps: list[str], half: int) -> None:
    first = [step for step in steps[: steps.index("start: say database")] if not re.search(SAME, step)]
    for step in share(first)[half::2]:
        with new_folder() as data:
            assert is_killed_at(step, data, b"") or step.partition(": ")[2].startswith(SEEN), step
            check(data, [])
            until(lambda: server_of(cluster(data)) is None)


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["start", "stop"])
def test_promise_16_killed_at_any_step_of_a_later_start_or_a_stop(steps: list[str], phase: str) -> None:
    """Each killed `up` is the next start after the one before it as well, through its migrations to its deliveries."""
    later = share([step for step in steps[steps.index("start: say database") :] if step.startswith(phase)])
    bodies = [model.body(number) for number in range(len(later) + 1)]
    with new_folder() as data:
        without_sync(data)
        for number, step in enumerate(later):
            assert is_killed_at(step, data, bodies[number]) or step.partition(": ")[2].startswith(SEEN), step
            check(data, range(number))
        with up(data, "") as program:
            store(program, bodies[-1])
        assert program.process.returncode == 0
        with postgres.server(data, print) as server:
            assert model.stored_bodies(server.conninfo) == (bodies if phase == "stop" else bodies[-1:])
            assert _unchained(server.conninfo) == 0
        until(lambda: server_of(cluster(data)) is None)


def _unchained(conninfo: str) -> int:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("select max(position) - count(*) from event_log").fetchone()
    return -1 if row is None else row[0]
