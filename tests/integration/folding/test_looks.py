"""A worker's looks: at all sources now and then, and between at those that something has arrived for."""

from dataclasses import replace
from types import SimpleNamespace

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from projections.folding.looks import Looks
from projections.folding.noted_heads import NotedHeads
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
