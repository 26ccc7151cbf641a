"""A worker's looks: at all sources now and then, and between at those that something has arrived for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

from projections.folding.heartbeat import Heartbeat
from projections.folding.looks import Looks
from projections.folding.noted_heads import NotedHeads
from projections.folding.written import written_up_to
from tests import model
from tests.fold_all import PARTICIPANTS, PROJECTIONS, REGISTRATIONS, drain, live, query
from tests.other_definition import OTHER

SOURCES = ("autumn", "spring")


def found(looks: Looks) -> set[str]:
    return {each.source for each in looks.find()}


def age(database: str, seconds: int) -> None:
    """As if all appends had been noted so long ago."""
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("update source set noted_at = now() - make_interval(secs => %s)", [seconds])


def test_between_looks_at_all_only_what_is_known_or_arrived_lately_is_looked_at(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a look costs little, however many sources there are; every three seconds all are looked at."""
    for source in SOURCES:
        model.append(database, [model.body(number) for number in range(3)], source)
    now = 100.0
    monkeypatch.setattr("projections.folding.looks.time", SimpleNamespace(monotonic=lambda: now))
    looks = Looks(worker_engine, PROJECTIONS)
    age(database, 1_000)
    for _ in range(2):
        assert found(looks) == {*SOURCES}, "what is known to be behind is looked at again"
        now += 0.1
    for source in SOURCES:
        drain(worker_engine, source)
    assert found(looks) == set()
    for number in range(3):  # of which the last two are not noted, since the first was a moment ago
        model.append(database, [model.body(number)], "winter")
        assert found(looks) == {"winter"}
        drain(worker_engine, "winter")
        assert found(looks) == set()
    assert query(database, "select head from source where source = 'winter'") == [(1,)]
    model.append(database, [model.body(9)], "autumn")
    age(database, 30)  # its commit took so long; it is not noted, since one was a moment before
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("update source set head = 3 where source = 'autumn'")
    for seconds, sources in ((0.1, set()), (2.6, set()), (0.3, {"autumn"})):
        now += seconds
        assert found(looks) == sources, now


def test_a_look_at_all_believes_the_heads_that_were_noted_long_ago(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the log only of what was noted in the last minute, and compares with what is folded even so."""
    now = 100.0
    monkeypatch.setattr("projections.folding.looks.time", SimpleNamespace(monotonic=lambda: now))
    for source in SOURCES:
        model.append(database, [model.body(number) for number in range(3)], source)
        drain(worker_engine, source)
    looks, noted = Looks(worker_engine, PROJECTIONS), NotedHeads()
    assert found(looks) == set()
    model.append(database, [model.body(9)], "autumn")
    age(database, 1_000)
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("update source set head = 3")  # as if it had not been noted, since one was a moment before
    now += 3
    assert found(looks) == set()
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("update checkpoint set position = 0 where source = 'spring'")  # as of a build that is behind
    now += 3
    assert found(looks) == {"spring"}
    noted(worker_engine)
    now += 0.1
    assert found(looks) == set(SOURCES)


def test_a_first_look_that_fails_is_made_again(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the log of each source, as no later one does."""
    monkeypatch.setattr("projections.folding.looks.time", SimpleNamespace(monotonic=lambda: 100.0))
    model.append(database, [model.body(1)])
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("update source set head = 0, noted_at = now() - interval '5 minutes'")
        admin.execute("alter table source rename to elsewhere")
        looks = Looks(worker_engine, PROJECTIONS)
        with pytest.raises(DBAPIError):
            looks.find()
        admin.execute("alter table elsewhere rename to source")
    assert found(looks) == {"movemint"}


def test_heads_that_could_not_be_noted_are_noted_soon(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("projections.folding.noted_heads.time", SimpleNamespace(monotonic=lambda: now))
    model.append(database, [model.body(1)])
    noted = NotedHeads()
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("update source set head = 0")
        admin.execute("alter function note_heads rename to elsewhere")
        with pytest.raises(DBAPIError):
            noted(worker_engine)
        admin.execute("alter function elsewhere rename to note_heads")
    for seconds, head in ((1.0, 0), (4.0, 1)):
        now += seconds
        noted(worker_engine)
        assert query(database, "select head from source") == [(head,)]


def test_a_look_after_a_long_pause_looks_at_what_was_noted_since_the_one_before(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("projections.folding.looks.time", SimpleNamespace(monotonic=lambda: now))
    looks = Looks(worker_engine, PROJECTIONS)
    assert found(looks) == set()
    model.append(database, [model.body(1)])
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("update source set noted_at = now() - interval '4 seconds'")
    for seconds, sources in ((0.1, set()), (2.5, {"movemint"})):
        now += seconds
        assert found(looks) == sources


def test_a_build_of_another_definition_is_not_found_and_said_once(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    drain(worker_engine)
    model.append(database, [model.body(1)])
    now = 100.0
    monkeypatch.setattr("projections.folding.looks.time", SimpleNamespace(monotonic=lambda: now))
    looks = Looks(worker_engine, [OTHER, REGISTRATIONS])
    for _ in range(3):
        assert {each.projection.name for each in looks.find()} == {"registrations"}
        now += 3
    [record] = [record for record in caplog.records if "rebuild needed" in record.message]
    assert record.__dict__["fields"]["do"] == "rosterlog rebuild participants"
    build = live(worker_engine, PARTICIPANTS)
    assert looks._may_write(replace(build, definition=OTHER.definition), OTHER)
    assert not looks._may_write(build, OTHER)
    assert caplog.text.count("rebuild needed") == 2, "and again after it was right meanwhile"


def test_sources_that_no_append_has_noted_are_noted_by_a_worker(database: str, worker_engine: Engine) -> None:
    """Such as those of a log that was restored, or that the function of the release before appended to."""
    for source in SOURCES:
        model.append(database, [model.body(number) for number in range(3)], source)
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("delete from source where source = 'spring'")
        admin.execute("update source set head = 2")
    drain(worker_engine)
    noted = NotedHeads()
    assert found(Looks(worker_engine, PROJECTIONS)) == {"autumn"}
    assert not noted(worker_engine)
    assert query(database, "select source, head from source order by 1") == [("autumn", 3), ("spring", 3)]
    assert found(Looks(worker_engine, PROJECTIONS)) == {*SOURCES}


def test_while_nothing_is_written_no_source_is_looked_at(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But by workers, of whom each says every second that it is there."""
    now = 100.0
    for module in ("looks", "heartbeat"):
        monkeypatch.setattr(f"projections.folding.{module}.time", SimpleNamespace(monotonic=lambda: now))
    model.append(database, [model.body(1)])
    drain(worker_engine)
    looks, own, other = Looks(worker_engine, PROJECTIONS), Heartbeat(), Heartbeat()

    def looked_at(rounds: int, *heartbeats: Heartbeat, writes: str = "") -> int:
        nonlocal now
        with reading_sources(worker_engine) as read:
            for _ in range(rounds):
                assert found(looks) == set()
                for heartbeat in heartbeats:
                    heartbeat.note(worker_engine, None)
                query(database, writes or "select 1")
                now += 1.0
        return len(read)

    assert found(looks) == set()
    quiet = [looked_at(5, *heartbeats) for heartbeats in ((), (own,), (own, other), (own, other))]
    assert sorted(quiet)[:2] == [0, 0], "PostgreSQL itself may write something, as when it analyses a table"
    assert looked_at(5, own, writes="select pg_current_xact_id()") >= 4
    looked_at(5, own)
    minutes = [looked_at(65, own) for _ in range(3)]
    assert 1 in minutes, "once a minute in any case"
    model.append(database, [model.body(2)])
    own.note(worker_engine, None)
    assert found(looks) == {"movemint"}, "what was written before the note is none"
    drain(worker_engine)
    now += 3
    assert found(looks) == set()
    with psycopg.connect(database) as open_one:
        open_one.execute("select append_events('movemint', array['{}'::bytea], array['s'], array['t'], array['1'])")
        assert found(looks) == set()
        assert looked_at(5, own) >= 4, "of what is under way nobody knows when it will have been written"
        open_one.rollback()
    looked_at(5, own)
    looked_at(1)
    with psycopg.connect(database) as note:
        note.execute("select pg_current_xact_id()")
        own.note(worker_engine, None)
        assert looked_at(1) == 1
        note.execute("update worker_seen set seen_at = now() where worker = %s", [other.name])
    assert looked_at(1) == 0, "a note that was under way was one all the same"
    model.append(database, [model.body(3)])
    now += 0.2
    assert found(looks) == {"movemint"}


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
