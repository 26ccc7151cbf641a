"""Observations among the deliveries (design point 15): newer states by the same rules, and marked as what they are."""

import psycopg
import pytest
from sqlalchemy import Engine

from ingest import metrics
from ingest.log.figures import log_readings
from ingest.log.scan import Share, single_events, snapshot
from projections.folding.health import read_health
from projections.participants.discovery import Discovery
from projections.participants.fields import DECLARED
from tests import model
from tests.erased_person import erase, lift, traces
from tests.fold_all import PARTICIPANTS, PROJECTIONS, REGISTRATIONS, build_anew, contents, drain, live, query
from tests.integration.log.test_verify import problems_of, prove
from tests.observing import SECOND, listed, observe, unlisted, write_header

STATE = "select position, origin, unlisted_at is not null, status, bib, updated_at::text from participants"
PERSON = {"status": "active", "bib": "1", "updated_at": "2026-05-02T10:00:00Z"}
AT = "2026-05-02 10:00:00+00"
DAILY = "select day::text, registrations from registrations_daily order by day"


@pytest.mark.parametrize("batch", [1, 10])
def test_promise_15_an_observation_wins_over_its_base_and_loses_to_what_movemint_says_is_newer(
    database: str, worker_engine: Engine, operator: Engine, batch: int
) -> None:
    model.append(database, [model.body(1, **PERSON)])
    observe(operator, listed(1, 1, **PERSON | {"bib": "7"}))
    drain(worker_engine, limit=batch)
    assert query(database, STATE) == [(2, "observation", False, "active", "7", AT)]
    model.append(database, [model.body(1, **PERSON | {"bib": "5", "updated_at": "2026-05-02T09:59:59Z"})])
    drain(worker_engine, limit=batch)
    assert query(database, STATE) == [(2, "observation", False, "active", "7", AT)], "older than what it was laid over"
    model.append(database, [model.body(1, **PERSON | {"bib": "8", "updated_at": "2026-05-02T10:00:01Z"})])
    drain(worker_engine, limit=batch)
    assert query(database, STATE)[0][:5] == (4, "delivery", False, "active", "8")
    assert query(database, "select position, until_position, origin from participant_history order by 1") == [
        (1, 2, "delivery"), (2, 4, "observation"),
    ]  # fmt: skip


@pytest.mark.parametrize("batch", [1, 10])
@pytest.mark.parametrize("is_delivered", [True, False])
def test_promise_15_an_unlisted_participant_keeps_the_status_until_something_newer(
    database: str, worker_engine: Engine, operator: Engine, batch: int, *, is_delivered: bool
) -> None:
    model.append(database, [model.body(1, **PERSON)])
    observe(operator, unlisted(1, 1, **PERSON))
    observe(operator, unlisted(1, 2, **PERSON), look=SECOND)
    drain(worker_engine, limit=batch)
    assert query(database, STATE) == [(2, "observation", True, "active", "1", AT)], "since the first of the two"
    [(at,)] = query(database, "select unlisted_at from participants")
    assert [(at,)] == query(database, "select received_at from event_log where position = 2")
    # The very same state: that the participant is there again is news.
    if is_delivered:
        model.append(database, [model.again(model.body(1, **PERSON), 2)])
    else:
        observe(operator, listed(1, 3, **PERSON))
    drain(worker_engine, limit=batch)
    assert query(database, STATE) == [(4, "delivery" if is_delivered else "observation", False, "active", "1", AT)]
    assert query(database, "select position, until_position, unlisted_at from participant_history order by 1") == [
        (1, 2, None), (2, 4, at),
    ]  # fmt: skip


def test_promise_15_a_delivery_that_claims_such_a_type_is_of_an_unknown_type(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    claims = [bytes(model.own_body(1, number, is_listed=number % 2 == 0, bib="666")) for number in range(2)]
    claims.append(b'{"type": "rosterlog.observation", "data": {}}')
    model.append(database, [model.body(1, **PERSON), *claims])
    # Also where the log has it under a participant, as only another program than ours could append it.
    with psycopg.connect(database, autocommit=True) as connection:
        more = bytes(model.own_body(1, 9, bib="666"))
        model.append_as(connection, [more], ["rosterlog.participant.observed"], ["1"])
    drain(worker_engine)
    assert model.stored_bodies(database)[1:] == [*claims, more]
    assert query(database, STATE) == [(1, "delivery", False, "active", "1", AT)]
    assert query(database, "select * from registrations where position > 1") == []
    assert query(database, "select event_type, events from unknown_event_type order by 1") == [
        ("rosterlog.observation", 1), ("rosterlog.participant.observed", 2), ("rosterlog.participant.unlisted", 1),
    ]  # fmt: skip
    assert query(database, "select * from reporting.reconciliations") == []
    anew = build_anew(worker_engine, PARTICIPANTS)
    assert contents(database, PARTICIPANTS, anew) == contents(database, PARTICIPANTS, live(worker_engine, PARTICIPANTS))
    assert problems_of(prove(operator, secrets=[model.SECRET])) == []


def test_promise_15_the_header_is_passed_by_every_projection(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    write_header(operator, listed(1, 0, **PERSON))
    drain(worker_engine)
    assert query(database, "select distinct position from checkpoint") == [(2,)]
    assert query(database, "select count(*) from unknown_event_type union all select count(*) from quarantine") == [
        (0,), (0,),
    ]  # fmt: skip


def test_promise_15_an_observed_newcomer_is_counted_on_the_day_of_the_registration(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, [model.body(1, created_at="2026-05-01T10:00:00Z")])
    observe(
        operator,
        listed(2, 0, created_at="2026-04-01T10:00:00Z"),
        listed(3, 0),
        unlisted(1, 1, created_at="2026-05-01T10:00:00Z"),
    )
    drain(worker_engine)
    [(today,)] = query(
        database, "select (received_at at time zone 'UTC')::date::text from event_log where position = 3"
    )
    assert query(database, DAILY) == [("2026-04-01", 1), ("2026-05-01", 1), (today, 1)], (
        "who is not listed stays counted"
    )
    anew = build_anew(worker_engine, REGISTRATIONS)
    before = live(worker_engine, REGISTRATIONS)
    assert contents(database, REGISTRATIONS, anew) == contents(database, REGISTRATIONS, before)


def test_promises_7_and_15_an_erasure_empties_observations_and_its_lifting_brings_none_back(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, [model.body(7, first_name="Unmistakable")])
    observe(operator, listed(7, 1, first_name="Unmistakable", bib="7"), listed(8, 1, first_name="Bo"))
    observe(operator, unlisted(7, 2, first_name="Unmistakable"), look=SECOND)
    drain(worker_engine)
    assert erase(operator) == [1, 2, 4]
    assert traces(database, "unmistakable") == set()
    assert query(database, "select participant_id from participants") == [("8",)]
    assert problems_of(prove(operator)) == []
    model.append(database, [model.body(7, first_name="Late")])
    drain(worker_engine)
    lift(operator)
    drain(worker_engine)
    assert query(database, "select position, origin, first_name from participants where participant_id = '7'") == [
        (5, "delivery", "Late")
    ]
    observe(operator, unlisted(7, 5, first_name="Late"))
    drain(worker_engine)
    assert query(database, "select origin, unlisted_at is null from participants where participant_id = '7'") == [
        ("observation", False)
    ]


def test_promises_7_and_15_an_observation_of_before_is_withheld_while_an_erasure_is_in_force(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    """As after the restore of a backup: the body is there, and nobody sees it."""
    observe(operator, listed(7, 0, first_name="Unmistakable"))
    observe(operator, unlisted(7, 1, first_name="Unmistakable"), look=SECOND)
    with psycopg.connect(database) as connection:
        connection.execute(
            "insert into erasures (source, subject, operator, reason, positions, digests) "
            "values ('movemint', '7', 'ops', 'asked', '{}', '{}')"
        )
    drain(worker_engine)
    assert query(database, "select * from participants") == []


def test_what_rosterlog_wrote_did_not_arrive(database: str, operator: Engine) -> None:
    """`rosterlog fields` shows what Movemint sends."""
    model.append(database, [model.body(1, bib="1")])
    write_header(operator, listed(2, 1, invented="x"))
    found = Discovery(DECLARED)
    with psycopg.connect(database) as connection, snapshot(connection):
        for events in single_events(connection, Share("movemint", 3, 0, 1)):
            for event in events:
                found.add(event)
    assert (found.events, found.unread, dict(found.other_types)) == (1, 0, {})
    assert {key.path for key in found.keys} == {"id", "bib"}


def test_an_observation_whose_body_is_another_participants_is_parked(database: str, worker_engine: Engine) -> None:
    """An erasure by the id that the log has would not find it."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "select append_observations('movemint', array[%s::bytea], array[%s], '{2}', '{0}')",
            [model.own_body(1, 1), "rosterlog.participant.observed"],
        )
    drain(worker_engine)
    assert query(database, "select participant_id from quarantine where projection = 'participants'") == [("2",)]
    assert query(database, "select * from participants") == []


def test_an_observation_is_no_sign_of_movemint(database: str, worker_engine: Engine, operator: Engine) -> None:
    """Nothing arrives for hours: that has to show, however often somebody looks at the source."""
    model.append(database, [model.body(1)])
    write_header(operator, listed(2, 1))
    write_header(operator, listed(3, 1), look=SECOND)
    [(at,)] = query(database, "select received_at from event_log where position = 1")
    with worker_engine.connect() as connection:
        [source] = read_health(connection, PROJECTIONS, ["movemint"]).sources
        readings = {reading.metric: reading.value for reading in log_readings(connection)}
    assert (source.last_received_at, source.stored_last_hour) == (at, 1)
    assert readings[metrics.HEAD] == 5
    assert readings[metrics.LAST_RECEIVED] == pytest.approx(at.timestamp())
    assert query(database, "select origin, count(*) from reporting.deliveries group by 1 order by 1") == [
        ("delivery", 1), ("observation", 4),
    ]  # fmt: skip
