"""What is kept beside a build's tables goes with the build, by foreign keys, and these keys let nobody wait."""

from dataclasses import replace

import psycopg
from sqlalchemy import Engine, text

from projections.folding import builds
from projections.rebuild.drop import drop
from projections.rebuild.swap import swap
from tests import model
from tests.erased_person import erase
from tests.fold_all import PARTICIPANTS, build_anew, drain, live, query

KEPT = ("checkpoint", "quarantine", "unknown_event_type")
BODIES = [model.body(1), b"not JSON", b'{"type": "unknown", "data": {"object": {"id": 1}}}']


def builds_in(database: str) -> set[tuple[str, int]]:
    """The builds of the participants of which something is kept, with the table it is kept in."""
    return {
        (table, build)
        for table in KEPT
        for (build,) in query(database, f"select build from {table} where projection = 'participants'")
    }


def test_checkpoints_parked_events_and_counts_go_with_their_build(database: str, worker_engine: Engine) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    before, after = live(worker_engine, PARTICIPANTS), build_anew(worker_engine, PARTICIPANTS)
    swap(worker_engine, PARTICIPANTS, after, 100)
    assert builds_in(database) == {(table, build.number) for table in KEPT for build in (before, after)}
    assert drop(worker_engine, before)
    assert builds_in(database) == {(table, after.number) for table in KEPT}


def test_while_a_worker_parks_builds_begin_go_live_and_are_dropped(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    """The worker's rows lock the row of their own build against being dropped, and nothing else."""
    model.append(database, [model.body(1)])
    drain(worker_engine)
    old, other = live(worker_engine, PARTICIPANTS), build_anew(worker_engine, PARTICIPANTS)
    with psycopg.connect(database) as working:
        working.execute(
            "insert into quarantine (source, projection, build, position, reason) values ('x', %s, %s, 1, 'x')",
            [old.projection, old.number],
        )
        with worker_engine.begin() as connection:
            connection.execute(text("set local lock_timeout = '1s'"))
            builds.begin(connection, replace(PARTICIPANTS, definition="another"))
            builds.go_live(connection, other)
            builds.go_live(connection, old)
        assert drop(worker_engine, other)
        working.rollback()
    assert erase(operator, "1") == [1]
