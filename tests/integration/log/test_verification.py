"""What is written down of a verification: when the whole log was read, and all problems that were found since."""

import psycopg
from sqlalchemy import Engine

from ingest.log.proof import Noted
from ingest.log.verification import note_verified
from tests import model
from tests.fold_all import query
from tests.integration.log.test_verify import chain_at, prove, unguarded


def found(database: str) -> list[tuple[object, ...]]:
    return query(database, "select problems, with_signatures, head from verification")


def test_a_proof_of_a_part_takes_back_nothing_that_was_found(database: str, operator: Engine) -> None:
    model.append(database, [model.body(number) for number in range(4)])
    with unguarded(database) as connection:
        connection.execute("update event_log set subject = 'another' where position = 2")
    assert note_verified(operator, [prove(operator)])
    [(found, head, at)] = query(database, "select problems, head, finished_at from verification")
    assert (found, head) == (1, 4)
    part = prove(operator, Noted(3, chain_at(database, 3)))
    assert part.problems_found == 0
    assert note_verified(operator, [part])
    assert query(database, "select problems, head, finished_at from verification") == [(1, 4, at)]
    with unguarded(database) as connection:
        connection.execute("update event_log set subject = 'another', digest = sha256('x') where position = 4")
    part = prove(operator, Noted(3, chain_at(database, 3)))
    assert note_verified(operator, [part])
    assert query(database, "select problems, head, finished_at from verification") == [(part.problems_found, 4, at)]
    assert part.problems_found > 1


def test_what_is_proved_is_proved_where_it_cannot_be_written_down(database: str, operator: Engine) -> None:
    """As on a replica, or for a login without the right."""
    model.append(database, [model.body(1)])
    with psycopg.connect(database) as connection:
        connection.execute("revoke insert on verification from rosterlog_operator")
    assert not note_verified(operator, [prove(operator)])
    assert query(database, "select * from verification") == []


def test_a_proof_of_a_part_is_noted_if_it_found_something(database: str, operator: Engine) -> None:
    model.append(database, [model.body(number) for number in range(4)])
    noted = Noted(3, chain_at(database, 3))
    assert note_verified(operator, [prove(operator, noted)])
    assert found(database) == [], "nothing was found, and the log was not read to its end from its beginning"
    with unguarded(database) as connection:
        connection.execute("update event_log set subject = 'another' where position = 2")
    assert note_verified(operator, [prove(operator)])
    assert found(database) == [(1, False, 4)]
    [(at,)] = query(database, "select finished_at from verification")
    part = prove(operator, noted)
    assert part.problems_found == 0
    assert note_verified(operator, [part])
    assert found(database) == [(1, False, 4)]
    assert query(database, "select finished_at from verification") == [(at,)]


def test_what_a_part_was_found_to_be_is_noted_though_the_whole_was_never_verified(
    database: str, operator: Engine
) -> None:
    model.append(database, [model.body(number) for number in range(4)])
    noted = Noted(1, chain_at(database, 1))
    with unguarded(database) as connection:
        connection.execute("update event_log set subject = 'another' where position = 2")
    assert note_verified(operator, [prove(operator, noted)])
    assert found(database) == [(1, False, 4)]


def test_a_proof_without_signatures_takes_back_nothing_that_one_with_them_found(
    database: str, operator: Engine
) -> None:
    model.append(database, [model.body(number) for number in range(4)])
    assert note_verified(operator, [prove(operator, secrets=[b"another"])])
    assert found(database) == [(1, True, 4)], "all are signed with a secret no longer known"
    [(at,)] = query(database, "select finished_at from verification")
    assert note_verified(operator, [prove(operator)])
    assert found(database) == [(1, True, 4)]
    assert query(database, "select finished_at > %s from verification", at) == [(True,)], "it was read all the same"
    assert note_verified(operator, [prove(operator, secrets=[model.SECRET])])
    assert found(database) == [(0, True, 4)]
    with unguarded(database) as connection:
        connection.execute("update event_log set subject = 'another' where position = 2")
    assert note_verified(operator, [prove(operator)])
    assert found(database) == [(1, False, 4)], "the kind is of what was found"
    with unguarded(database) as connection:
        connection.execute("update event_log set subject = '1' where position = 2")
    assert note_verified(operator, [prove(operator)])
    assert found(database) == [(0, False, 4)]
