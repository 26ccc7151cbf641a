"""Scheduled comparisons that fail leave a trace until one succeeds."""

from collections.abc import Sequence
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine

from ingest import metrics
from ingest.failures import Failure, WrongUsage
from ingest.log.failed_look import FailedLook, note_failed, note_succeeded, read_failed
from ingest.log.figures import log_readings
from ingest.log.reconciliation import events_in_words
from projections.folding.health import Health, read_health
from projections.folding.heartbeat import Heartbeat
from projections.folding.needs import needs
from projections.truth.conclusion import NothingConcluded
from tests import model
from tests.fold_all import PROJECTIONS, drain, query


def fail(operator: Engine, why: Exception, *event_ids: str) -> None:
    note_failed(operator, "movemint", event_ids, why)


def succeed(operator: Engine, *event_ids: str) -> None:
    note_succeeded(operator, "movemint", event_ids)


def failing(engine: Engine) -> Sequence[FailedLook]:
    with engine.connect() as connection:
        return read_failed(connection).get("movemint", ())


def scopes(engine: Engine) -> list[str]:
    return [events_in_words(look.event_ids) for look in failing(engine)]


def health(engine: Engine) -> Health:
    with engine.connect() as connection:
        return read_health(connection, PROJECTIONS, ["movemint"])


def since_in_metrics(engine: Engine) -> list[float | object]:
    with engine.connect() as connection:
        return [each.value for each in log_readings(connection) if each.metric is metrics.LOOKS_FAIL]


def test_what_fails_twice_needs_a_person_until_a_look_succeeds(
    database: str, engine: Engine, operator: Engine, worker_engine: Engine
) -> None:
    Heartbeat().note(worker_engine, None)
    model.append(database, [model.body(1)])
    drain(worker_engine)
    assert since_in_metrics(engine) == []
    fail(operator, WrongUsage("the list answers 401: is the secret right?"), "502", "501")
    query(database, "update failed_look set since = '2026-11-02 04:07+00' returning 1")
    [first] = failing(engine)
    assert (needs(health(engine)), since_in_metrics(engine)) == ([], []), "it may pass by itself"
    fail(operator, Failure("the list answers 500"), "501", "502")
    [second] = failing(engine)
    assert (second.since, second.failures, second.why) == (first.since, 2, "the list answers 500")
    assert second.failed_at > first.failed_at
    sentence = "movemint: the scheduled comparison of events 501, 502 has failed 2 times since 2 November 04:07 UTC: "
    assert needs(health(engine)) == [f"{sentence}the list answers 500"]
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
    for _ in range(2):
        fail(operator, Failure("no"), "501")
    for days, expected in ((7, ["event 501"]), (9, [])):
        query(database, "update failed_look set since = now() - make_interval(days => %s) returning 1", days)
        query(database, "update failed_look set failed_at = since returning 1")
        assert scopes(engine) == expected
        assert len(since_in_metrics(engine)) == len(expected)
    fail(operator, Failure("no"), "501")
    [anew] = failing(engine)
    assert anew.failures == 1
    assert anew.since == anew.failed_at


@pytest.mark.parametrize("number", [1, 400])
def test_any_number_of_events_is_noted_and_forgotten(engine: Engine, operator: Engine, number: int) -> None:
    event_ids = [str(uuid4()) for _ in range(number)]
    fail(operator, Failure("no"), *event_ids)
    assert [look.event_ids for look in failing(engine)] == [sorted(event_ids)]
    succeed(operator, *event_ids)
    assert failing(engine) == ()


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (psycopg.errors.DiskFull("no space"), "the database's disk is full"),
        (ZeroDivisionError("of a person"), "a fault in rosterlog: what the command printed says more"),
        (Failure("x" * 5_000), "x" * 1_000),
        (Failure("nul \0 and \ud800"), "nul  and ?"),
        (NothingConcluded("lists 4711 a second time", "lists somebody a second time"), "lists somebody a second time"),
    ],
    ids=["of the database", "of ours", "long", "no text of PostgreSQL", "of a person"],
)
def test_why_a_look_failed_is_said_as_a_person_reads_it(
    engine: Engine, operator: Engine, error: Exception, why: str
) -> None:
    fail(operator, error)
    assert failing(engine)[0].why.startswith(why)
    assert len(failing(engine)[0].why) <= 1_000


def test_a_source_that_moved_away_is_looked_at_where_it_is(database: str, engine: Engine, operator: Engine) -> None:
    model.append(database, [model.body(1)])
    for _ in range(2):
        fail(operator, Failure("its log is written elsewhere"))
    query(database, "update source set state = 'moved', other_place = 'there' returning 1")
    assert not [sentence for sentence in needs(health(engine)) if "comparison" in sentence]
    assert since_in_metrics(engine) == []
