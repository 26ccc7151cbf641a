"""A worker's looks: whole ones while something is behind, and cheap ones while no log has grown."""

from dataclasses import replace
from types import SimpleNamespace

import psycopg
import pytest
from sqlalchemy import Engine

from projections.folding.looks import Looks
from projections.folding.noted_heads import NotedHeads
from projections.folding.projection import Projection
from tests import model
from tests.fold_all import PARTICIPANTS, PROJECTIONS, REGISTRATIONS, drain, live, query
from tests.other_definition import OTHER

SOURCES = ("autumn", "spring")


def test_whoever_is_caught_up_looks_whole_every_three_seconds_or_once_a_log_has_grown(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between, one number of the database tells that nothing is new, however many sources there are."""
    for source in SOURCES:
        model.append(database, [model.body(number) for number in range(3)], source)
    now = 100.0
    monkeypatch.setattr("projections.folding.looks.time", SimpleNamespace(monotonic=lambda: now))
    looks = Looks(worker_engine, PROJECTIONS)
    whole: list[int] = []
    behind = looks.behind

    def counted() -> list[tuple[Projection, str]]:
        whole.append(1)
        return behind()

    monkeypatch.setattr(looks, "behind", counted)
    for seconds, times in ((0.0, 1), (0.1, 2)):  # something is behind
        now += seconds
        assert {source for _, source in looks.find()} == {*SOURCES}
        assert len(whole) == times
    for source in SOURCES:
        drain(worker_engine, source)
    for seconds, times in ((0.1, 3), (1.7, 4), (0.2, 4), (2.7, 4), (0.2, 5), (0.2, 5)):  # quiet after two seconds
        now += seconds
        assert looks.find() == []
        assert len(whole) == times
    for number in range(3):  # of which the last two are not noted, since the first was a moment ago
        model.append(database, [model.body(number)], "winter")
        assert {source for _, source in looks.find()} == {"winter"}
        drain(worker_engine, "winter")
        assert looks.find() == []
    assert query(database, "select head from source where source = 'winter'") == [(1,)]


def test_a_build_of_another_definition_is_not_found_and_said_once(
    database: str, worker_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    drain(worker_engine)
    model.append(database, [model.body(1)])
    looks = Looks(worker_engine, [OTHER, REGISTRATIONS])
    for _ in range(3):
        assert {projection.name for projection, _ in looks.behind()} == {"registrations"}
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
    looks, noted = Looks(worker_engine, PROJECTIONS), NotedHeads()
    assert {source for _, source in looks.behind()} == {"autumn"}
    assert not noted(worker_engine)
    assert query(database, "select source, head from source order by 1") == [("autumn", 3), ("spring", 3)]
    assert {source for _, source in looks.behind()} == {*SOURCES}
