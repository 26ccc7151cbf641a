"""How far a rebuild under way is, as metrics see it; what was killed is under way no more."""

from sqlalchemy import Engine, text

from ingest.metrics import REBUILD_MOVED, REBUILD_RATIO
from projections.folding import builds
from projections.folding.figures import projection_readings
from projections.rebuild import steps
from tests.fold_all import PARTICIPANTS, PROJECTIONS, REGISTRATIONS


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
        assert progress(engine) == {}


def progress(engine: Engine) -> dict[tuple[str, str], float]:
    with engine.connect() as connection:
        connection.execute(text("set role rosterlog_api"))
        found = list(projection_readings(connection, PROJECTIONS))
    assert sum(each.metric is REBUILD_MOVED for each in found) == sum(each.metric is REBUILD_RATIO for each in found)
    return {
        (each.metric.name, each.labels[0]): float(str(each.value)) for each in found if each.metric is REBUILD_RATIO
    }
