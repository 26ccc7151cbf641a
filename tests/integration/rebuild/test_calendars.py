"""The calendar of a build: it is begun with the build, goes live with it, and another one asks for a rebuild."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine

from ingest.database import WORKER_ROLE, sync_engine
from projections.catalogue import catalogue
from projections.folding import builds, tries
from projections.folding.status import read_projections
from projections.rebuild.swap import swap
from tests import model
from tests.fold_all import PROJECTIONS, build_anew, contents, query
from tests.secret_people import take
from tests.zoned_people import BODIES, Projections, drain_by


@pytest.fixture
def zoned_engine(zoned: str) -> Iterator[Engine]:
    engine = sync_engine(zoned, WORKER_ROLE)
    yield engine
    engine.dispose()


def test_a_rebuild_gives_what_the_worker_gave(zoned: str, zoned_engine: Engine, zoned_projections: Projections) -> None:
    for projection in zoned_projections:
        build = build_anew(zoned_engine, projection)
        with zoned_engine.connect() as connection:
            live = builds.live(connection, projection.name)
        assert live is not None
        assert contents(zoned, projection, build) == contents(zoned, projection, live)
        kept = (
            "select event_id, time_zone, changes, offsets, starts_on, previous_event_id from event_calendar "
            "where projection = %s and build = %s order by 1"
        )
        assert query(zoned, kept, projection.name, build.number) == query(zoned, kept, projection.name, live.number)


def test_another_zone_or_another_race_asks_for_a_rebuild_of_both(
    zoned_engine: Engine, zoned_projections: Projections
) -> None:
    with zoned_engine.connect() as connection:
        for others in (catalogue(None), catalogue(None, "America/Denver")):
            statuses = read_projections(connection, others)
            assert [status.needs_rebuild for status in statuses] == [True, True]
        assert [status.needs_rebuild for status in read_projections(connection, zoned_projections)] == [False, False]


def test_a_swap_takes_the_calendar_with_it_and_a_way_back_brings_it_back(database: str, worker_engine: Engine) -> None:
    model.append(database, BODIES[:1])
    drain_by(worker_engine, PROJECTIONS)
    shown = (
        "select day::text, time_zone from reporting.registrations_daily union all "
        "select reporting.day_of(registered_at)::text, time_zone from reporting.participants, reporting.calendar"
    )
    assert set(query(database, shown)) == {("2026-05-02", "UTC")}
    denver = catalogue(None, "America/Denver")
    for projection in denver:
        assert tries.run_once(worker_engine, projection, "movemint", 10) == 0, "nothing is folded into another calendar"
        swap(worker_engine, projection, build_anew(worker_engine, projection), 100)
    assert set(query(database, shown)) == {("2026-05-01", "America/Denver")}
    for projection in PROJECTIONS:
        with worker_engine.connect() as connection:
            before = builds.previous(connection, projection.name)
        assert before is not None
        swap(worker_engine, projection, before, 100)
    assert set(query(database, shown)) == {("2026-05-02", "UTC")}


def test_nobody_but_the_beginning_of_a_build_writes_a_calendar(zoned: str) -> None:
    for role in ("rosterlog_worker", "rosterlog_api", "rosterlog_operator", "rosterlog_reporting_pii"):
        with psycopg.connect(zoned) as connection:
            take(connection, role)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("update event_calendar set time_zone = 'UTC'")
