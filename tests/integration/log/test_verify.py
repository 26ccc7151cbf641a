"""`verify` (design point 5): a log as it was written passes; whatever a superuser does to it is found, and where."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from ingest.database import OPERATOR_ROLE, sync_engine
from ingest.log import erase as erasing
from ingest.log.proof import MOST_PROBLEMS, Finding, Noted, Proof
from ingest.log.verify import verify
from tests import DEADLINE, model

EVENTS = [model.body(1, first_name="Zoë"), b"not JSON", *(model.body(number) for number in range(2, 10))]
BROKEN = "the chain breaks: this event, or its place in the log, was altered"
ALTERED = "the body was altered: it is not the one that its digest is of"


def prove(
    engine: Engine, noted: Noted | None = None, secrets: Sequence[bytes] | None = None, source: str = "movemint"
) -> Proof:
    checked: list[int] = []
    proof = verify(engine, source, noted, secrets, checked.append)
    assert sum(checked) == proof.events
    return proof


def problems_of(proof: Proof) -> list[tuple[int, str]]:
    return [(problem.position, problem.problem) for problem in proof.problems]


@contextmanager
def unguarded(database: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's session with every trigger of the log off."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("alter table erasures disable trigger all")
        yield connection
        connection.execute("alter table event_log enable always trigger event_log_is_append_only")
        connection.execute("alter table event_log enable always trigger event_log_body_is_only_erased")
        connection.execute("alter table erasures enable always trigger erasures_are_kept")
        connection.execute("alter table erasures enable always trigger erasures_are_made_at_home")


def put(connection: psycopg.Connection[Any], position: int, like: int) -> None:
    """Insert an event that looks like another one, at a position of its own."""
    connection.execute(
        "insert into event_log select source, %s, received_at, event_type, subject, sha256('new'), 'new', signature, "
        "chain from event_log where position = %s",
        [position, like],
    )


def chain_at(database: str, position: int) -> bytes:
    with psycopg.connect(database) as connection:
        row = connection.execute("select chain from event_log where position = %s", [position]).fetchone()
    assert row is not None
    return bytes(row[0])


def write_unsigned(database: str, position: int, event_type: str | None) -> None:
    """Insert an event without a signature at the head, with the chain value that it must have."""
    with unguarded(database) as connection:
        connection.execute(
            "insert into event_log (source, position, received_at, event_type, subject, digest, body, chain) "
            "values ('movemint', %s, clock_timestamp(), %s, '7', sha256(%s), %s, '')",
            [position, event_type, b"%d" % position, b"%d" % position],
        )
        chain = model.chains(database)[-1]
        connection.execute("update event_log set chain = %s where position = %s", [chain, position])


def test_an_empty_log_is_proved(operator: Engine) -> None:
    proof = prove(operator)
    assert (proof.events, proof.head, proof.chain, proof.problems) == (0, 0, bytes(32), [])


def test_a_log_as_it_was_written_is_proved(database: str, operator: Engine) -> None:
    model.append(database, EVENTS)
    model.append(database, EVENTS[:3], "other")
    proof = prove(operator)
    assert (proof.events, proof.first, proof.head, proof.chain) == (10, 1, 10, chain_at(database, 10))
    assert (proof.problems, proof.erased, proof.unknown_secret) == ([], 0, None)
    assert prove(operator, source="other").events == 3


def test_an_event_without_a_signature_is_proved(database: str, operator: Engine) -> None:
    model.append(database, EVENTS[:2])
    write_unsigned(database, 3, "rosterlog.observation")
    write_unsigned(database, 4, None)
    model.append(database, EVENTS[2:])
    proof = prove(operator)
    assert (problems_of(proof), proof.head, proof.chain) == ([], 12, model.chains(database)[-1])


def test_a_machine_of_another_encoding_proves_it_too(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model.append(database, [model.body("Zoë"), model.body("Łukasz")])
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN2")
    engine = sync_engine(database, OPERATOR_ROLE)
    assert prove(engine).problems == []
    engine.dispose()


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("update event_log set body = body || ' ' where position = 4", ALTERED),
        ("update event_log set body = '' where position = 4", ALTERED),
        ("update event_log set body = null where position = 4", "the body is gone, and no erasure names it"),
        ("update event_log set received_at = received_at + '1 microsecond' where position = 4", BROKEN),
        ("update event_log set event_type = 'x' where position = 4", BROKEN),
        ("update event_log set event_type = null where position = 4", BROKEN),
        ("update event_log set subject = 'x' where position = 4", BROKEN),
        ("update event_log set subject = '' where position = 2", BROKEN),
        ("update event_log set signature = repeat('0', 64) where position = 4", BROKEN),
        ("update event_log set signature = null where position = 4", BROKEN),
        ("update event_log set body = 'x', digest = sha256('x') where position = 4", BROKEN),
        ("update event_log set chain = sha256('x') where position = 4", BROKEN),
        ("update event_log set digest = 'x' where position = 4", "a value is missing, or has a length it cannot have"),
        ("update event_log set chain = 'x' where position = 4", "a value is missing, or has a length it cannot have"),
        ("delete from event_log where position = 4", "missing"),
        ("delete from event_log where position = 1", "missing"),
        ("delete from event_log where position between 1 and 3", "missing, and so is all before position 4"),
        ("delete from event_log where position between 4 and 6", "missing, and so is all before position 7"),
    ],
)
def test_promise_5_whatever_is_altered_or_deleted_is_found(
    database: str, operator: Engine, statement: str, problem: str
) -> None:
    model.append(database, EVENTS)
    with unguarded(database) as connection:
        assert connection.execute(statement.encode()).rowcount > 0
    first = prove(operator).problems[0]
    position = 1 if "position = 1" in statement or "between 1" in statement else 2 if "position = 2" in statement else 4
    assert first == Finding(position, problem)


def test_promise_5_two_events_that_changed_places_are_found(database: str, operator: Engine) -> None:
    model.append(database, EVENTS)
    with unguarded(database) as connection:
        for move in ("position = 1000 where position = 3", "position = 3 where position = 7"):
            connection.execute(f"update event_log set {move}".encode())
        connection.execute("update event_log set position = 7 where position = 1000")
    assert [position for position, _ in problems_of(prove(operator))] == [3, 4, 7, 8]


def test_promise_5_an_inserted_event_is_found(database: str, operator: Engine) -> None:
    model.append(database, EVENTS)
    with unguarded(database) as connection:
        connection.execute("update event_log set position = position + 1000 where position > 3")
        connection.execute("update event_log set position = position - 999 where position > 1000")
        put(connection, 4, 3)
    assert problems_of(prove(operator))[0] == (4, BROKEN)


def test_promise_5_an_event_put_after_the_last_is_found(database: str, operator: Engine) -> None:
    model.append(database, EVENTS)
    with unguarded(database) as connection:
        put(connection, 11, 10)
    assert problems_of(prove(operator)) == [(11, BROKEN)]


@pytest.mark.parametrize("number", [0, -7])
def test_promise_5_an_event_put_before_the_first_is_found(database: str, operator: Engine, number: int) -> None:
    model.append(database, EVENTS)
    with unguarded(database) as connection:
        connection.execute("alter table event_log drop constraint event_log_position")
        put(connection, number, 1)
    problems = problems_of(prove(operator))
    assert problems[0] == (number, "out of place: positions are 1, 2, 3 ... and each is there once")


def test_promise_5_a_delivery_stored_twice_is_found(database: str, operator: Engine) -> None:
    """With a chain that is right: the database's own function is made to append the same delivery once more."""
    model.append(database, EVENTS)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table event_log drop constraint event_log_dedup")
        row = connection.execute("select pg_get_functiondef('append_events'::regproc)").fetchone()
        assert row is not None
        connection.execute(row[0].replace("is_stored := positions[place] is null", "is_stored := true").encode())
        assert model.append_on(connection, [EVENTS[3]]) == [(11, True)]
    assert problems_of(prove(operator)) == [(11, "stored twice: the same delivery is at position 4")]


def test_promise_5_the_last_event_cannot_be_removed_unseen(database: str, operator: Engine) -> None:
    model.append(database, EVENTS)
    noted = Noted(10, chain_at(database, 10))
    with unguarded(database) as connection:
        connection.execute("delete from event_log where position = 10")
    assert prove(operator).problems == []  # nothing in the database tells
    assert problems_of(prove(operator, noted)) == [(10, "missing: the log ends at 9, but position 10 was noted")]
    assert prove(operator, noted).chain == chain_at(database, 9)
    model.append(database, [b"another event in its place", b"and one more"])
    problem = "the chain value is not the one noted: this event or one before it was altered since"
    assert problems_of(prove(operator, noted)) == [(10, problem)]


def test_what_came_after_a_noted_value_is_proved_alone(database: str, operator: Engine) -> None:
    model.append(database, EVENTS)
    with unguarded(database) as connection:
        connection.execute("update event_log set subject = 'x' where position in (2, 8)")
    noted = Noted(4, chain_at(database, 4))
    proof = prove(operator, noted)
    assert (proof.events, proof.first, problems_of(proof)) == (6, 5, [(8, BROKEN)])
    assert prove(operator, Noted(0, bytes(32))).events == 10
    assert prove(operator, Noted(10, chain_at(database, 10))).chain == chain_at(database, 10)
    assert problems_of(prove(operator, Noted(0, bytes(31) + b"x")))[0][0] == 0
    with unguarded(database) as connection:
        connection.execute("delete from event_log where position = 4")
    assert problems_of(prove(operator, noted)) == [(4, "missing"), (8, BROKEN)]


def test_the_first_problems_are_listed_and_the_rest_counted(database: str, operator: Engine) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        model.append_on(connection, [model.body(number) for number in range(MOST_PROBLEMS + 50)])
    with unguarded(database) as connection:
        connection.execute("update event_log set body = 'x'")
    proof = prove(operator)
    assert [position for position, _ in problems_of(proof)] == list(range(1, MOST_PROBLEMS + 1))
    assert proof.problems_found == MOST_PROBLEMS + 50


def test_sources_are_proved_apart(database: str, operator: Engine) -> None:
    """The same deliveries in two sources are no doubles, and an erasure in one says nothing of the other."""
    model.append(database, EVENTS)
    model.append(database, EVENTS, "other")
    with operator.begin() as connection:
        erasing.erase(connection, "movemint", "3", "an operator", "asked for it")
    assert [(proof.problems, proof.erased) for proof in (prove(operator), prove(operator, source="other"))] == [
        ([], 1), ([], 0)
    ]  # fmt: skip
    with unguarded(database) as unguarded_connection:
        unguarded_connection.execute("update event_log set body = null where position = 4 and source = 'other'")
    assert problems_of(prove(operator, source="other")) == [(4, "the body is gone, and no erasure names it")]


def test_erased_bodies_are_counted_and_come_with_their_erasure_only(database: str, operator: Engine) -> None:
    model.append(database, EVENTS)
    with operator.begin() as connection:
        erasing.erase(connection, "movemint", "3", "an operator", "asked for it")
    proof = prove(operator, secrets=[model.SECRET])
    assert (proof.events, proof.erased, proof.problems) == (10, 1, [])
    with unguarded(database) as unguarded_connection:
        unguarded_connection.execute("update event_log set body = %s where position = 4", [EVENTS[3]])
    assert problems_of(prove(operator)) == [
        (4, "an erasure names it, but the body is here: run rosterlog erase --reapply")
    ]
    with unguarded(database) as unguarded_connection:
        unguarded_connection.execute("update event_log set body = null where position = 4")
        unguarded_connection.execute("delete from erasures")
    assert problems_of(prove(operator)) == [(4, "the body is gone, and no erasure names it")]


def test_a_log_that_is_being_appended_to_is_proved_as_far_as_it_went(database: str, operator: Engine) -> None:
    model.append(database, EVENTS)
    stop = threading.Event()

    def append() -> None:
        number = 1000
        with psycopg.connect(database, autocommit=True) as connection:
            while not stop.is_set():
                model.append_on(connection, [model.body(number)])
                number += 1

    thread = threading.Thread(target=append)
    thread.start()
    try:
        proofs = [prove(operator) for _ in range(30)]
    finally:
        stop.set()
        thread.join(timeout=DEADLINE)
    assert all(proof.problems == [] and proof.events == proof.head for proof in proofs)
    assert all(proof.chain == chain_at(database, proof.head) for proof in proofs)
    assert proofs[-1].head > proofs[0].head


def test_the_proof_ends_in_the_value_of_an_independent_computation(database: str, operator: Engine) -> None:
    model.append(database, EVENTS)
    assert prove(operator).chain == model.chains(database)[-1]
