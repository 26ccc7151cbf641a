"""A roster that is not complete needs a person: by its own log, or by what is left of what its source listed."""

from dataclasses import replace

from sqlalchemy import Engine

from ingest import metrics
from ingest.log.observation import Drift
from projections.doctor.complete import check_complete
from projections.doctor.watched import check_watched
from projections.folding.figures import projection_readings
from projections.folding.health import Health, read_health
from projections.folding.heartbeat import Heartbeat
from projections.folding.inner_completeness import note_inner, read_inner
from projections.folding.needs import needs
from tests import model
from tests.findings import only
from tests.fold_all import PROJECTIONS, drain
from tests.observing import compared

WHAT_NEXT = "rosterlog reconcile with a new list names them, and --apply writes down what may be"


def health(engine: Engine) -> Health:
    with engine.connect() as connection:
        return read_health(connection, PROJECTIONS, ["movemint"])


def test_what_is_left_of_every_comparison_that_stands_is_told(
    database: str, engine: Engine, operator: Engine, worker_engine: Engine
) -> None:
    Heartbeat().note(worker_engine, None)
    model.append(database, [model.body(1)])
    assert "movemint was never compared" in of_doctor(engine)[1]
    compared(operator, ("501",), Drift(missing=3, unknowable=4), 1, agrees=False)
    compared(operator, ("502",), Drift(unknowable=1), 1, agrees=True)
    drain(worker_engine)
    found = health(engine)
    assert needs(found) == [f"movemint: 3 missing of event 501, as the source listed them: {WHAT_NEXT}"]
    assert only(check_watched(found), "status")[1] == f"{needs(found)[0].rpartition(': ')[0]}: {WHAT_NEXT}"
    assert [finding for finding in check_watched(found) if finding.check == "compared"] == [], "it is told already"
    compared(operator, ("503", "504", "505"), Drift(missing=1, unlisted=2_000), 1, agrees=False)
    assert needs(health(engine))[0].startswith(
        "movemint: 4 missing, 2,000 unlisted of events 501, 503, 504 and 1 more, as the source listed them: "
    )
    compared(operator, None, Drift(stale=1), 1, agrees=False)
    assert needs(health(engine))[0].startswith("movemint: 1 stale of all events, ")
    compared(operator, None, Drift(unknowable=5), 1, agrees=False)
    assert needs(health(engine)) == [], "what nobody could judge is no drift"
    compared(operator, None, Drift(), 1, agrees=True)
    assert of_doctor(engine) == (
        "ok", "movemint as its source was on 2026-05-03 23:30 UTC at position 1, all events: complete: "
    )  # fmt: skip


def of_doctor(engine: Engine) -> tuple[str, str]:
    return only(check_watched(health(engine)), "compared")


def test_whoever_is_not_where_the_log_says_is_told_until_it_is_looked_again(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    Heartbeat().note(worker_engine, None)
    model.append(database, [model.body(1)])
    assert note_inner(worker_engine, [("movemint", 4_711, 20, 2), ("other", 7, 5, 0)])
    found = health(engine)
    [said] = needs(found)
    assert said.startswith("movemint: 2 participants are not where the log says, as was found at position 4,711: ")
    assert said.endswith("rosterlog rebuild folds the log again; rosterlog reconcile --inner then looks again")
    with engine.connect() as connection:
        readings = {each.labels: each.value for each in projection_readings(connection, PROJECTIONS)
                    if each.metric is metrics.INNER_DIFFERENCES}  # fmt: skip
        assert readings == {("movemint",): 2, ("other",): 0}
        connection.rollback()
        said = only(check_complete(connection, "participants", {"movemint": 1}, most=0), "complete")[1]
    assert "; movemint: 2 differ at position 4,711 when it last did; other: complete at position 7 when it" in said
    assert note_inner(worker_engine, [("movemint", 4_712, 20, 0)])
    assert needs(health(engine)) == []
    with engine.connect() as connection:
        assert read_inner(connection)["movemint"].finished_at > found.inner["movemint"].finished_at


def test_where_nothing_can_be_written_what_was_found_is_found_all_the_same(operator: Engine) -> None:
    """The operator's role may only read it, as everybody may on a replica."""
    assert not note_inner(operator, [("movemint", 1, 1, 0)])
    with operator.connect() as connection:
        assert read_inner(connection) == {}


def test_a_roster_that_is_not_complete_comes_before_what_is_parked(database: str, engine: Engine) -> None:
    model.append(database, [model.body(1)])
    found = health(engine)
    [source] = found.sources
    parked = replace(source, status=replace(source.status, quarantined=1))
    assert note_inner(engine, [("movemint", 1, 1, 1)])
    said = needs(replace(found, inner=health(engine).inner, sources=[parked], is_used=False))
    assert ["where the log says" in said[0], "parked" in said[1]] == [True, True]
