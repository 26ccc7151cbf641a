"""Looks at the source that fail leave a trace until one succeeds, so that a schedule cannot fail unseen."""

from collections.abc import Sequence

import psycopg
import pytest
from sqlalchemy import Engine

from ingest import metrics
from ingest.failures import Failure, WrongUsage
from ingest.log.failed_look import FailedLook, noted_if_failed, read_failed
from ingest.log.figures import log_readings
from projections.folding.health import Health, read_health
from projections.folding.heartbeat import Heartbeat
from projections.folding.needs import needs
from tests import model
from tests.fold_all import PROJECTIONS, drain, query


def fail(operator: Engine, why: Exception, *event_ids: str, source: str = "movemint") -> None:
    with pytest.raises(type(why)), noted_if_failed(operator, source, event_ids):
        raise why


def succeed(operator: Engine, *event_ids: str) -> None:
    with noted_if_failed(operator, "movemint", event_ids):
        pass


def failing(engine: Engine) -> Sequence[FailedLook]:
    with engine.connect() as connection:
        return read_failed(connection).get("movemint", ())


def scopes(engine: Engine) -> list[str]:
    return [look.scope for look in failing(engine)]


def health(engine: Engine) -> Health:
    with engine.connect() as connection:
        return read_health(connection, PROJECTIONS, ["movemint"])


def since_in_metrics(engine: Engine) -> list[float | object]:
    with engine.connect() as connection:
        return [each.value for each in log_readings(connection) if each.metric is metrics.LOOKS_FAIL]


def test_a_look_that_fails_needs_a_person_until_one_succeeds(
    database: str, engine: Engine, operator: Engine, worker_engine: Engine
) -> None:
    Heartbeat().note(worker_engine, None)
    model.append(database, [model.body(1)])
    drain(worker_engine)
    fail(operator, WrongUsage("the list answers 401: is the secret right?"), "502", "501")
    query(database, "update failed_look set since = now() - interval '3 days' returning 1")
    [first] = failing(engine)
    fail(operator, Failure("the list answers 500"), "501", "502")
    [second] = failing(engine)
    assert (second.since, second.why) == (first.since, "the list answers 500")
    assert second.failed_at > first.failed_at
    sentence = "movemint: each look at events 501, 502 of the source has failed for 3 d: the list answers 500"
    assert needs(health(engine)) == [sentence]
    assert since_in_metrics(engine) == [first.since.timestamp()]
    succeed(operator, "502", "501")
    assert needs(health(engine)) == []
    assert since_in_metrics(engine) == []


def test_a_look_that_succeeds_says_nothing_of_events_that_it_had_not(engine: Engine, operator: Engine) -> None:
    for event_ids in ((), ("501",), ("502",), ("501", "502")):
        fail(operator, Failure("no"), *event_ids)
    succeed(operator, "501")
    assert sorted(scopes(engine)) == ["all events", "event 502", "events 501, 502"]
    succeed(operator, "501", "502", "503")
    assert scopes(engine) == ["all events"]
    fail(operator, Failure("no"), "501")
    succeed(operator)
    assert scopes(engine) == []


def test_what_is_tried_no_more_is_forgotten_after_eight_days(database: str, engine: Engine, operator: Engine) -> None:
    fail(operator, Failure("no"), "501")
    for days, expected in ((7, ["event 501"]), (9, [])):
        query(database, "update failed_look set failed_at = now() - make_interval(days => %s) returning 1", days)
        assert scopes(engine) == expected
        assert len(since_in_metrics(engine)) == len(expected)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (psycopg.errors.DiskFull("no space"), "the database's disk is full"),
        (ZeroDivisionError("of a person"), "a fault in rosterlog: what the command printed says more"),
        (Failure("x" * 5_000), "x" * 1_000),
    ],
    ids=["of the database", "of ours", "long"],
)
def test_why_a_look_failed_is_said_as_a_person_reads_it(
    engine: Engine, operator: Engine, error: Exception, why: str
) -> None:
    fail(operator, error)
    assert failing(engine)[0].why.startswith(why)
    assert len(failing(engine)[0].why) <= 1_000


def test_a_source_that_moved_away_is_looked_at_where_it_is(database: str, engine: Engine, operator: Engine) -> None:
    model.append(database, [model.body(1)])
    fail(operator, Failure("its log is written elsewhere"))
    query(database, "update source set state = 'moved', other_place = 'there' returning 1")
    assert not [sentence for sentence in needs(health(engine)) if "each look" in sentence]
    assert since_in_metrics(engine) == []
