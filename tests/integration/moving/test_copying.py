"""A source copied to another database: it is the source itself, and what is wrong is refused."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors

from ingest.failures import WrongUsage
from ingest.log import copying
from ingest.log.beside import write_beside
from ingest.log.whereabouts import whereabouts
from ingest.sqlstate import DRIVER_ERRORS, unusable
from projections.folding.moving import Move, copy_source, move_source
from projections.web.access import tokens
from tests import model
from tests.erased_person import erase, lift, traces
from tests.fold_all import query
from tests.integration.log.test_verify import unguarded
from tests.moves import PEOPLE, are_same, count, engines, fill, fold, make_token, rows


def test_a_copy_is_the_source_itself_and_goes_on(database: str, other: str, alone: Move) -> None:
    fill(database, alone.old)
    model.append(other, [model.body(1, first_name="of another source")], "spring")
    make_token(other, "other reader", "spring")
    copied = copy_source(alone)
    assert (copied.head, copied.beside, copied.since) == (11, [], 0)
    assert all(rows(database, "movemint").values()), "each table has rows to be copied"
    assert rows(other, "movemint") == rows(database, "movemint")
    assert len(rows(other, "spring")["api_token"]) == 1
    fold(other)
    assert model.stored_roster(other) == model.stored_roster(database)
    # What happens since is copied by the next call: also to events that are there already.
    model.append(database, [model.body(1, first_name="Anna"), PEOPLE[0]])
    erase(alone.old, "1")
    lift(alone.old, "7")
    assert copy_source(alone).head == 12
    assert are_same(alone, database, other)
    fold(database)
    fold(other)
    assert model.stored_roster(other) == model.stored_roster(database), "lifted where it was folded already, too"
    assert traces(other, "Anna") == set()
    lineage = "select lineage_at('movemint', 12, (select max(number) from roster_change where source = 'movemint'))"
    assert query(other, lineage) == query(database, lineage), "followers of the changes go on"
    assert copy_source(alone).events == 12


def test_an_erasure_between_two_batches_is_copied_before_its_events(
    old: str, new: str, move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_MOST_AT_ONCE", 2)
    model.append(old, [model.body(number, first_name=f"Unmistakable-{number}") for number in range(7)], move.source)
    erased: list[list[int]] = []

    def erase_once(_events: int) -> None:
        if not erased:
            erased.append(erase(move.old, "6", move.source))

    copy_source(replace(move, advance=erase_once))
    assert erased == [[7]]
    assert are_same(move, old, new)
    assert traces(new, "Unmistakable-6") == set()


DAMAGES = {
    "set body = 'x' where position = 3": "3 of {} was altered",
    "set body = null where position = 3": "3 of {} has no body, and no erasure names it",
    "set subject = 'x' where position = 3": "3 of {} does not follow",
    "set signature = null where position = 3": "3 of {} does not follow",
    "set received_at = received_at + '1us' where position = 3": "3 of {} does not follow",
    "set chain = sha256('x') where position = 3": "3 of {} does not follow",
    "set position = position + 10 where position = 3": "3 of {} does not follow",
}


def test_what_was_altered_is_not_copied(old: str, new: str, move: Move) -> None:
    for number, (damage, said) in enumerate(DAMAGES.items()):
        damaged = replace(move, source=f"{move.source}-{number}")
        model.append(old, PEOPLE, damaged.source)
        with unguarded(old) as connection:
            connection.execute(f"update event_log {damage} and source = '{damaged.source}'".encode())
        with pytest.raises(errors.DatabaseError, match=said.format(damaged.source)) as caught:
            copy_source(damaged)
        assert "run rosterlog verify" in str(unusable(caught.value))
        assert count(new, damaged.source) == 0


def test_a_database_that_has_such_a_source_takes_no_copy(old: str, new: str, move: Move) -> None:
    model.append(old, PEOPLE, move.source)
    model.append(new, [model.body(1, first_name="Somebody else")], move.source)
    with pytest.raises(WrongUsage, match=f"has a log of {move.source} of its own, of 1 events"):
        copy_source(move)
    assert model.append(new, [model.body(2)], move.source) == [(2, True)], "nothing was changed there"


def test_another_log_of_the_same_name_does_not_go_on_the_copied_one(old: str, new: str, other: str, move: Move) -> None:
    model.append(old, PEOPLE, move.source)
    model.append(other, [*PEOPLE, model.body(3)], move.source)
    copy_source(move)
    with engines(other) as (engine,), pytest.raises(WrongUsage, match="is another one: it differs at position 7"):
        copy_source(replace(move, old=engine))
    with move.new.connect() as connection:
        move_id = whereabouts(connection, move.source).move_id
    assert move_id is not None
    with engines(other) as (engine,), pytest.raises(errors.DatabaseError, match=r"position 8 of .* does not follow"):
        copying.copy_log(engine, move.new, move.source, move_id, 7, lambda: None, lambda _events: None)
    # Of two commands at once, one finds that the log goes on already.
    with pytest.raises(errors.DatabaseError, match="not copied to here any more after position 0"):
        copying.copy_log(move.old, move.new, move.source, move_id, 0, lambda: None, lambda _events: None)
    with pytest.raises(errors.DatabaseError, match="not copied to here any more after position 7"):
        copying.copy_log(move.old, move.new, move.source, uuid4(), 7, lambda: None, _once_more(move, old))
    assert count(new, move.source) == 7
    # Nor does a command of before write what stands beside the log: of another move, or once this one is done.
    assert "not copied to here any more" in beside_refused(move, uuid4())
    assert move_source(move).head == 8
    assert "not copied to here any more" in beside_refused(move, move_id)


def beside_refused(move: Move, move_id: UUID) -> str:
    with move.new.begin() as connection, pytest.raises(DRIVER_ERRORS) as caught:
        write_beside(connection, move.source, move_id, "api_token", [])
    return str(caught.value)


def _once_more(move: Move, old: str) -> Callable[[int], None]:
    model.append(old, [model.body("once more")], move.source)
    return lambda _events: None


CALLS = (
    "turn_source('movemint', 'leave', '')",
    "copy_events('movemint', null, 0, null, null, null, null, null, null, null)",
    "copy_beside('movemint', null, 'api_token', '[]')",
    "beside_rows('movemint', 'api_token')",
    "beside_mark('movemint', 'api_token')",
)


@pytest.mark.parametrize("role", ["ingest", "worker", "api", "reporting", "reporting_pii"])
def test_the_operator_alone_may_copy(old: str, role: str) -> None:
    with psycopg.connect(old, autocommit=True) as connection:
        connection.execute(f"set role rosterlog_{role}".encode())
        for call in CALLS:
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(f"select {call}".encode())


def test_tokens_of_the_source_open_the_roster_at_the_new_place(old: str, new: str, move: Move) -> None:
    model.append(old, PEOPLE, move.source)
    token = make_token(old, f"reader of {move.source}", move.source)
    move_source(move)
    found = query(new, "select name, digest from api_token where source = %s", move.source)
    assert found == [(f"reader of {move.source}", tokens.digest(token))]


def test_a_token_of_the_same_name_there_is_named(old: str, new: str, move: Move) -> None:
    model.append(old, PEOPLE, move.source)
    make_token(old, "the same name", move.source)
    make_token(new, "the same name", "another-source")
    with pytest.raises(WrongUsage, match="has the name of another source's in the new place: revoke one of the two"):
        copy_source(move)
