"""How far a rebuild under way is, as metrics see it; what was killed is under way no more."""

import psycopg
from sqlalchemy import Engine, text

from ingest.metrics import REBUILD_MOVED, REBUILD_RATIO
from projections.folding import builds
from projections.folding.figures import projection_readings
from projections.folding.heartbeat import Heartbeat
from projections.rebuild import steps
from projections.rebuild.swap import swap
from tests import model
from tests.fold_all import PARTICIPANTS, PROJECTIONS, REGISTRATIONS, build_anew, drain


def test_a_rebuild_under_way_is_seen_with_its_progress_and_a_killed_one_is_not(
    engine: Engine, worker_engine: Engine
) -> None:
    for projection in (PARTICIPANTS, REGISTRATIONS):
        with steps.only_one(worker_engine, projection.name):
            build = steps.begin_build(worker_engine, projection)
            noted = steps.noted(worker_engine, build, 200, lambda _number: None)
            noted(50)
            assert progress(engine) == {(REBUILD_RATIO.name, projection.name): 0.25}
            with worker_engine.begin() as connection:
                builds.note_loaded(connection, build, 200, 200)
            assert progress(engine) == {(REBUILD_RATIO.name, projection.name): 1.0}
            with worker_engine.begin() as connection:
                builds.note_loaded(connection, build, 205, 200)
            assert progress(engine) == {(REBUILD_RATIO.name, projection.name): 1.0}, "while deliveries go on arriving"
            with worker_engine.begin() as connection:
                builds.note_loaded(connection, build, 0, 0)
            assert progress(engine) == {(REBUILD_RATIO.name, projection.name): 0.0}, "of a log without events"
        assert progress(engine) == {}


def test_the_builds_that_readers_see_and_may_go_back_to_are_under_way_no_more(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    model.append(database, [model.body(1)])
    drain(worker_engine)
    for _ in range(2):
        swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)
    with psycopg.connect(database) as connection:
        connection.execute("update projection_build set loaded_events = 1, events_to_load = 1")
    with steps.only_one(worker_engine, PARTICIPANTS.name):
        assert progress(engine) == {}


def test_readings_are_of_every_source_and_only_of_what_there_is(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    assert readings(engine) == {
        "rosterlog_rebuild_needed participants": 0, "rosterlog_rebuild_needed registrations": 0,
        "rosterlog_roster_size_bytes ": 0,
    }  # fmt: skip
    model.append(database, [model.body(1), b"no JSON"])
    model.append(database, [model.body(1)], "spring")
    drain(worker_engine)
    drain(worker_engine, "spring")
    Heartbeat().note(worker_engine, None)
    found = readings(engine)
    assert found["rosterlog_roster_size_bytes "] > 0
    assert {name: value for name, value in found.items() if "movemint" in name or "spring" in name} == {
        f"rosterlog_{name} {source}{projection}": value
        for source, head, parked in (("movemint", 2, 1), ("spring", 1, 0))
        for name, projection, value in (
            ("projection_position", " participants", head), ("projection_position", " registrations", head),
            ("projection_lag_events", " participants", 0), ("projection_lag_events", " registrations", 0),
            ("quarantined_events", "", parked),
        )
    }  # fmt: skip
    assert "rosterlog_worker_seen_timestamp_seconds " in found
    assert not any("unfolded" in name for name in found)


def readings(engine: Engine) -> dict[str, float]:
    with engine.connect() as connection:
        connection.execute(text("set role rosterlog_api"))
        found = list(projection_readings(connection, PROJECTIONS))
    return {f"{each.metric.name} {' '.join(each.labels)}": float(str(each.value)) for each in found}


def progress(engine: Engine) -> dict[tuple[str, str], float]:
    with engine.connect() as connection:
        connection.execute(text("set role rosterlog_api"))
        found = list(projection_readings(connection, PROJECTIONS))
    assert sum(each.metric is REBUILD_MOVED for each in found) == sum(each.metric is REBUILD_RATIO for each in found)
    return {
        (each.metric.name, each.labels[0]): float(str(each.value)) for each in found if each.metric is REBUILD_RATIO
    }
