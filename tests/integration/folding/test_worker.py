"""Projections (design points 8-12): the worker against an independent model of the roster."""

import json
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from ingest.database import WORKER_ROLE, sync_engine
from ingest.log.event import Event
from ingest.session import FOLDING, session_commands
from ingest.sqlstate import unusable
from projections.folding import tries, worker
from projections.folding.status import read_status
from projections.participants import fold as folding
from projections.participants.fields import DECLARED
from tests import DEADLINE, model
from tests.fold_all import PARTICIPANTS, PROJECTIONS, drain, forget_projections, query

_TIMES = st.none() | st.integers(0, 5).map(lambda second: f"2026-05-01T10:00:0{second}Z")
_PEOPLE = st.builds(
    lambda id_, name, at: model.body(id_, first_name=name, updated_at=at),
    st.integers(1, 4),
    st.text("abc", min_size=1, max_size=3),
    _TIMES,
)
_OTHERS = st.sampled_from([b"not JSON", b'{"type": "x", "data": {"object": {"id": 1}}}'])
_BODIES = st.lists(_PEOPLE | _OTHERS, unique=True, max_size=25)


@given(bodies=_BODIES, limits=st.lists(st.integers(1, 7), min_size=1))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_promise_10_any_split_into_batches_ends_in_the_models_roster(
    database: str, worker_engine: Engine, bodies: Sequence[bytes], limits: Sequence[int]
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("truncate event_log, checkpoint, quarantine, unknown_event_type")
        connection.execute("alter table event_log enable always trigger event_log_is_append_only")
    forget_projections(database)
    model.append(database, bodies)
    known = [body if json_type(body) == "event.participant.created" else b"" for body in bodies]
    number = 0
    while tries.run_once(worker_engine, PARTICIPANTS, "movemint", limits[number % len(limits)]):
        number += 1
    assert model.stored_roster(database) == model.roster(known)


def json_type(body: bytes) -> object:
    try:
        return json.loads(body)["type"]
    except ValueError:
        return None


def test_promise_8_rows_and_checkpoint_move_together_or_not_at_all(database: str, worker_engine: Engine) -> None:
    model.append(database, [model.body(number) for number in range(10)])
    with psycopg.connect(database) as connection:
        connection.execute(
            "create function die() returns trigger language plpgsql as $$ "
            "begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$"
        )
        connection.execute("alter function die() security definer")
        connection.execute("create trigger die before update on checkpoint for each row execute function die()")
    with pytest.raises(Exception, match="terminat"):
        tries.run_once(worker_engine, PARTICIPANTS, "movemint", 5)
    assert query(database, "select * from participants") == []
    with psycopg.connect(database) as connection:
        connection.execute("drop trigger die on checkpoint")
    assert drain(worker_engine) == 10
    assert len(model.stored_roster(database)) == 10


def test_promise_9_a_source_is_advanced_by_one_worker_at_a_time(database: str, worker_engine: Engine) -> None:
    model.append(database, [model.body(number) for number in range(10)])
    model.append(database, [model.body(1)], "spring")
    tries.run_once(worker_engine, PARTICIPANTS, "movemint", 1)
    with psycopg.connect(database) as other:
        other.execute("select * from checkpoint where source = 'movemint' for update")
        assert tries.run_once(worker_engine, PARTICIPANTS, "movemint", 5) is None
        assert tries.run_once(worker_engine, PARTICIPANTS, "spring", 5) == 1
    assert tries.run_once(worker_engine, PARTICIPANTS, "movemint", 5) == 5


def test_promise_9_many_workers_fold_every_event_once(database: str, engine: Engine) -> None:
    bodies = [model.body(number % 50, first_name=f"n{number}") for number in range(600)]
    model.append(database, bodies)
    stop = threading.Event()
    threads = []
    for _ in range(4):
        own = sync_engine(database, WORKER_ROLE)
        run = worker.Worker(own, PROJECTIONS, 7).run
        thread = threading.Thread(target=run, args=(0.01, stop, lambda _is_read: None))
        thread.start()
        threads.append((thread, own))
    waiting = threading.Event()
    for _ in range(600):
        with engine.connect() as connection:
            if read_status(connection, PROJECTIONS, ())[0].lag == 0:
                break
        waiting.wait(0.05)
    stop.set()
    for thread, own in threads:
        thread.join(timeout=DEADLINE)
        own.dispose()
    assert model.stored_roster(database) == model.roster(bodies)


def test_promise_10_an_older_payload_does_not_overwrite_a_newer_one(database: str, worker_engine: Engine) -> None:
    late = model.body(1, first_name="old", updated_at="2026-01-01T00:00:00Z")
    model.append(database, [model.body(1, first_name="new", updated_at="2026-02-01T00:00:00Z"), late])
    drain(worker_engine)
    assert model.stored_roster(database) == {"1": (1, 1, "new")}


def test_promise_11_a_value_that_will_not_convert_is_null_and_named(database: str, worker_engine: Engine) -> None:
    model.append(database, [model.body(1, dob="31/12/90", age="34", extra={"deep": [1]})])
    drain(worker_engine)
    [(dob, age, errors, attributes)] = query(database, "select dob, age, field_errors, attributes from participants")
    assert (dob, age, list(errors)) == (None, 34, ["dob"])
    assert attributes == {"id": 1, "dob": "31/12/90", "age": "34", "extra": {"deep": [1]}}


HOSTILE = [
    b"", b"hello", b"\xff", b'{"type": "event.participant.created", "data": {"object": {"id": "\\u0000"}}}',
    b'{"type": "\\ud800"}', b'{"type": NaN}', b'{"a": 1, "a": 2}', b"[" * 100_000,
    b'{"type": "event.participant.created", "data": {"object": {"id": 1, "n": ' + b"9" * 400 + b"}}}",
    b'{"type": "event.participant.created", "data": {"object": {"id": ' + b"9" * 400 + b"}}}",
    b'{"data": {"object": {"id": 2}}}', b'{"type": "unknown", "data": {"object": {"id": 2}}}',
    b'{"type": "event.participant.created", "data": 7}', model.body(None), model.body("text"), model.body(1.5),
    model.body(-3), model.body(2**63), model.body("3\x00"), model.body(4, note="a\x00b"),
    b'{"type": "event.participant.created", "data": {"object": {"id": 5, "n": 1e999, "m": 1e300}}}',
    model.body(6, event_id="x" * 300_000), model.body(7, first_name="x" * 900_000),
    b'{"type": "event.participant.created", "data": {"object": {"id": 8, "deep": ' + b"[" * 150 + b"]" * 150 + b"}}}",
]  # fmt: skip


def test_promise_12_nothing_stops_the_worker(database: str, worker_engine: Engine, engine: Engine) -> None:
    model.append(database, [*HOSTILE, model.body("last")])
    assert drain(worker_engine, limit=9) == len(HOSTILE) + 1
    assert set(model.stored_roster(database)) == {"1", "text", "-3", str(2**63), "4", "5", "6", "7", "8", "last"}
    with engine.connect() as connection:
        [status] = read_status(connection, PROJECTIONS, ())
    assert (status.head, status.lag) == (len(HOSTILE) + 1, 0)
    assert status.quarantined == 14
    assert query(database, "select event_type, events from unknown_event_type") == [("unknown", 1)]
    attributes = query(database, "select participant_id, attributes ->> 'id' from participants")
    assert all(participant_id == id_ for participant_id, id_ in attributes), (
        "each can be read out of the log, or is kept"
    )


def test_promise_12_a_row_postgres_refuses_parks_only_its_participant(database: str, worker_engine: Engine) -> None:
    drain(worker_engine)
    with psycopg.connect(database) as connection:
        connection.execute("alter table participants_build_1 add constraint no_poison check (first_name <> 'poison')")
    model.append(database, [model.body(number, first_name="poison" if number == 3 else "ok") for number in range(6)])
    drain(worker_engine)
    assert set(model.stored_roster(database)) == {"0", "1", "2", "4", "5"}
    [(position, participant, reason)] = query(database, "select position, participant_id, reason from quarantine")
    assert (position, participant) == (4, "3")
    assert "poison" not in reason
    model.append(database, [model.body(3, first_name="healed")])
    drain(worker_engine)
    assert query(database, "select * from quarantine") == []
    assert model.stored_roster(database)["3"] == (7, 7, "healed")


def test_promise_12_a_fault_in_the_fold_parks_only_its_participant(database: str, worker_engine: Engine) -> None:
    fold = folding.folding(DECLARED)

    def faulty(event: Event) -> object:
        if event.subject == "3":
            raise ZeroDivisionError("somebody's name")
        return fold(event)

    model.append(database, [model.body(number) for number in range(6)])
    assert tries.run_once(worker_engine, replace(PARTICIPANTS, fold=faulty), "movemint", 100) == 6
    assert set(model.stored_roster(database)) == {"0", "1", "2", "4", "5"}
    assert query(database, "select participant_id, reason from quarantine") == [
        ("3", "the fold failed with ZeroDivisionError")
    ]


def test_promise_12_a_body_with_half_a_character_parks_its_participant_and_heals(
    database: str, worker_engine: Engine
) -> None:
    broken = b'{"type": "event.participant.created", "data": {"object": {"id": 77, "first_name": "\\ud83d"}}}'
    model.append(database, [broken])
    drain(worker_engine)
    assert query(database, "select position, participant_id from quarantine") == [(1, "77")]
    model.append(database, [model.body(77)])
    drain(worker_engine)
    assert query(database, "select * from quarantine") == []


def test_promise_9_the_source_of_a_frozen_worker_is_taken_over(database: str, worker_engine: Engine) -> None:
    """It holds the checkpoint in an open transaction and does nothing more; PostgreSQL ends that within seconds."""
    model.append(database, [model.body(number) for number in range(10)])
    tries.run_once(worker_engine, PARTICIPANTS, "movemint", 1)
    with closing(psycopg.connect(database)) as frozen:
        frozen.execute(session_commands(WORKER_ROLE, FOLDING).encode())
        frozen.commit()
        frozen.execute("select position from checkpoint for update")
        assert tries.run_once(worker_engine, PARTICIPANTS, "movemint", 100) is None
        waiting = threading.Event()
        for _ in range(600):
            if tries.run_once(worker_engine, PARTICIPANTS, "movemint", 100):
                break
            waiting.wait(0.05)
        assert len(model.stored_roster(database)) == 10
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            frozen.execute("select 1")


def test_promise_16_a_flood_of_event_types_is_counted_in_a_bounded_table(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.folding.unknown_types.MOST_UNKNOWN_TYPES", 3)
    model.append(database, [b'{"type": "t%d", "data": {"object": {"id": 1}}}' % number for number in range(9)])
    drain(worker_engine, limit=2)
    counted = query(database, "select event_type, events from unknown_event_type where projection = 'participants'")
    assert sorted(counted) == [("(further types)", 6), ("t0", 1), ("t1", 1), ("t2", 1)]


def test_an_error_of_the_database_shows_nothing_of_a_participant(database: str, worker_engine: Engine) -> None:
    drain(worker_engine)
    with psycopg.connect(database) as connection:
        connection.execute(
            "create function fail() returns trigger language plpgsql as $$ "
            "begin raise exception 'no' using errcode = 'XX000'; end $$"
        )
        connection.execute(
            "create trigger fail before insert on participants_build_1 for each row execute function fail()"
        )
    model.append(database, [model.body(1, email="somebody@example.org")])
    with pytest.raises((DBAPIError, psycopg.Error)) as caught:
        tries.run_once(worker_engine, PARTICIPANTS, "movemint", 10)
    assert "somebody" not in str(caught.value)
    assert isinstance(caught.value, DBAPIError | psycopg.Error)
    assert "somebody" not in str(unusable(caught.value))


def test_the_worker_may_not_touch_the_log(worker_engine: Engine) -> None:
    for statement in (
        "insert into event_log (source) values ('x')",
        "delete from event_log",
        "select * from api_token",
    ):
        with worker_engine.connect() as connection, pytest.raises(Exception, match="permission denied"):
            connection.execute(text(statement))
