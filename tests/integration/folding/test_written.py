"""While nothing is written but that workers are there, nobody looks at the log; all else that is written is found."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

from projections.folding.heartbeat import Heartbeat
from projections.folding.looks import Looks
from projections.folding.written import written_up_to
from tests import model
from tests.fold_all import PROJECTIONS, drain, query


def found(looks: Looks) -> set[str]:
    return {each.source for each in looks.find()}


class Idle:
    """A worker with nothing to do, by a clock that the test moves on; and another worker."""

    def __init__(self, database: str, engine: Engine) -> None:
        self.now = 100.0
        self.looks, self.own, self.other = Looks(engine, PROJECTIONS), Heartbeat(), Heartbeat()
        self._database, self._engine = database, engine

    def looked_at(self, rounds: int, *heartbeats: Heartbeat, writes: str = "select 1") -> int:
        """How often the sources were read in so many seconds, in which nothing was found."""
        with reading_sources(self._engine) as read:
            for _ in range(rounds):
                assert found(self.looks) == set()
                for heartbeat in heartbeats:
                    heartbeat.note(self._engine, None)
                query(self._database, writes)
                self.now += 1.0
        return len(read)

    def settle(self) -> None:
        """Let a look at all come by."""
        self.looked_at(5)


@pytest.fixture
def idle(database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Idle:
    idle = Idle(database, worker_engine)
    for module in ("looks", "heartbeat"):
        monkeypatch.setattr(f"projections.folding.{module}.time", SimpleNamespace(monotonic=lambda: idle.now))
    model.append(database, [model.body(1)])
    drain(worker_engine)
    return idle


def test_while_nothing_is_written_no_source_is_looked_at(idle: Idle) -> None:
    """But by workers, of whom each says every second that it is there."""
    own, other = idle.own, idle.other
    idle.settle()
    quiet = [idle.looked_at(5, *heartbeats) for heartbeats in ((), (own,), (own, other), (own, other))]
    assert sorted(quiet)[:2] == [0, 0], "PostgreSQL itself may write something, as when it analyses a table"
    assert idle.looked_at(5, own, writes="select pg_current_xact_id()") >= 4
    idle.settle()
    minutes = [idle.looked_at(65, own) for _ in range(3)]
    assert 1 in minutes, "once a minute in any case"


def test_what_is_written_before_a_workers_note_is_found(idle: Idle, database: str, worker_engine: Engine) -> None:
    idle.settle()
    model.append(database, [model.body(2)])
    idle.own.note(worker_engine, None)
    assert found(idle.looks) == {"movemint"}


def test_what_is_under_way_is_looked_for_until_it_has_ended(idle: Idle, database: str) -> None:
    idle.settle()
    with psycopg.connect(database) as delivery:
        delivery.execute("select append_events('movemint', array['{}'::bytea], array['s'], array['t'], array['1'])")
        assert idle.looked_at(5, idle.own) >= 4
    assert found(idle.looks) == {"movemint"}


def test_after_a_note_that_was_under_way_nothing_is_looked_at(idle: Idle, database: str, worker_engine: Engine) -> None:
    idle.other.note(worker_engine, None)
    idle.settle()
    with psycopg.connect(database) as note:
        note.execute("select pg_current_xact_id()")
        idle.own.note(worker_engine, None)
        assert idle.looked_at(1) == 1
        note.execute("update worker_seen set seen_at = now() where worker = %s", [idle.other.name])
    assert idle.looked_at(1) == 0


def test_what_was_written_on_another_server_says_nothing(database: str, worker_engine: Engine) -> None:
    """After a failover that lost something, ids of transactions are given again."""
    looks = Looks(worker_engine, PROJECTIONS)
    model.append(database, [model.body(1)])
    with worker_engine.begin() as connection:
        written = written_up_to(connection)
    assert written is not None
    drain(worker_engine)
    assert found(looks) == set()
    model.append(database, [model.body(2)])
    with worker_engine.begin() as connection:
        now = written_up_to(connection)
    assert now is not None
    assert now.server == written.server
    assert now.next_id > written.next_id
    looks._nothing_at = now._replace(server="2026-05-01 10:00:00+00")
    assert found(looks) == {"movemint"}


def test_after_a_look_that_failed_everything_is_looked_at(database: str, worker_engine: Engine) -> None:
    """A server that has recovered from a crash may give ids of transactions again that it gave before."""
    model.append(database, [model.body(1)])
    drain(worker_engine)
    looks = Looks(worker_engine, PROJECTIONS)
    assert found(looks) == set()
    assert looks._nothing_at is not None
    ended = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> "
    query(database, f"{ended} pg_backend_pid()")
    with pytest.raises(DBAPIError):
        looks.find()
    assert looks._nothing_at is None


@contextmanager
def reading_sources(engine: Engine) -> Iterator[list[str]]:
    """The statements that read the table of sources in this block."""
    read: list[str] = []

    def note(*arguments: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
        if "from source s" in arguments[2]:
            read.append(arguments[2])

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield read
    finally:
        event.remove(engine, "before_cursor_execute", note)
