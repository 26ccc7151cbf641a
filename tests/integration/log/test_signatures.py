"""`verify --signatures`: which secret made them, and which of them nothing made."""

import psycopg
import pytest
from sqlalchemy import Engine

from tests import model
from tests.integration.log.test_verify import ALTERED, BROKEN, EVENTS, problems_of, prove, unguarded, write_unsigned

WRONG = "signature wrong: none of the secrets made it, and nothing proves the event as it came"


def test_signatures_are_checked_with_every_secret(database: str, operator: Engine) -> None:
    model.append(database, EVENTS)
    proof = prove(operator, secrets=[b"new", model.SECRET])
    assert proof.problems == []
    assert proof.unknown_secret is not None
    assert proof.unknown_secret.events == 0


def test_a_secret_no_longer_known_is_told_from_a_wrong_signature(database: str, operator: Engine) -> None:
    model.append(database, EVENTS)
    with unguarded(database) as connection:
        connection.execute("update event_log set signature = repeat('0', 64) where position = 4")
        connection.execute("update event_log set signature = 'none' where position = 6")
    proof = prove(operator, secrets=[model.SECRET])
    assert problems_of(proof) == [(4, BROKEN), (4, WRONG), (6, BROKEN), (6, WRONG)]
    proof = prove(operator, secrets=[b"the one after"])
    assert proof.unknown_secret is not None
    assert (proof.unknown_secret.events, proof.unknown_secret.first, proof.unknown_secret.last) == (8, 1, 10)
    unknown = "signed with a secret no longer known: 8 events from position 1 to 10; give retired secrets too, last"
    assert problems_of(proof) == [(1, unknown), (4, BROKEN), (4, WRONG), (6, BROKEN), (6, WRONG)]


def test_the_signature_of_an_altered_body_is_wrong(database: str, operator: Engine) -> None:
    model.append(database, EVENTS)
    with unguarded(database) as connection:
        connection.execute("update event_log set body = 'x' where position = 4")
    assert problems_of(prove(operator, secrets=[model.SECRET])) == [(4, ALTERED), (4, WRONG)]


@pytest.mark.parametrize("signature", ["none", "", "x" + model.signature(b"new"), model.signature(b"new")[:-1]])
def test_a_signature_that_no_secret_could_make_is_wrong_whatever_the_chain_says(
    database: str, operator: Engine, signature: str
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("select append_events('movemint', %s, %s, '{null}', '{null}')", [[b"new"], [signature]])
    assert problems_of(prove(operator)) == []
    assert problems_of(prove(operator, secrets=[model.SECRET])) == [(1, WRONG)]


def test_after_a_damaged_event_the_next_one_is_not_taken_for_proved(database: str, operator: Engine) -> None:
    model.append(database, EVENTS)
    with unguarded(database) as connection:
        connection.execute("update event_log set chain = 'x' where position = 4")
        connection.execute("update event_log set signature = repeat('0', 64) where position = 5")
    damaged = "a value is missing, or has a length it cannot have"
    assert problems_of(prove(operator, secrets=[model.SECRET])) == [(4, damaged), (5, WRONG)]


def test_only_what_rosterlog_itself_wrote_down_has_no_signature(database: str, operator: Engine) -> None:
    model.append(database, EVENTS[:1])
    for position, event_type in enumerate(("rosterlog.observation", "event.participant.created", None, ""), 2):
        write_unsigned(database, position, event_type)
    with unguarded(database) as connection:
        connection.execute("update event_log set body = null where position in (2, 3)")
    proof = prove(operator, secrets=[model.SECRET])
    gone = "the body is gone, and no erasure names it"
    unsigned = [(position, "no signature") for position in (3, 4, 5)]
    assert problems_of(proof) == [(2, gone), (3, gone), *unsigned]
    assert proof.unknown_secret is not None
    assert proof.unknown_secret.events == 0
