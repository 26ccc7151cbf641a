"""A source copied and moved to another database: nothing is lost or doubled, and what is wrong is refused."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import Engine

from ingest import postgres
from ingest.database import OPERATOR_ROLE, WORKER_ROLE, sync_engine
from ingest.failures import Failure, WrongUsage
from ingest.log import copying
from ingest.log import erase as erasing
from ingest.log.beside import write_beside
from ingest.log.register import read_register, write_register
from ingest.log.whereabouts import ARRIVING, MOVED, Turn, is_one_database, turn, whereabouts
from ingest.sqlstate import DRIVER_ERRORS, sqlstate, unusable
from projections.folding import moving
from projections.folding.moving import Move, copy_source, move_source, take_back
from projections.web.access import tokens
from tests import DEADLINE, model
from tests.conftest import create
from tests.erased_person import erase, lift, traces, waits
from tests.fold_all import PARTICIPANTS, PROJECTIONS, build_anew, contents, drain, live, query
from tests.integration.log.test_verify import problems_of, prove, unguarded
from tests.observing import listed, observe, write_header

NAME = "Zoë Unmistakable"
PEOPLE = [
    model.body(1, first_name="Ann"), b"not JSON", model.body(7, first_name=NAME), model.body(8, first_name="Bo"),
    b"\xff\x00", model.body(9, first_name="Cy"), b'{"type": "event.registration.created", "data": {}}',
]  # fmt: skip
_numbers = itertools.count(1)
COPIED = (
    "event_log", "event_redelivery", "redelivery_hour", "erasures", "api_token", "reconciliation", "first_absence",
    "dismissed_event", "roster_change",
)  # fmt: skip


@pytest.fixture(scope="module")
def old(server: postgres.Server, template: str) -> str:
    """The database where the sources of most tests are, each test's under a name of its own."""
    return create(server, template)


@pytest.fixture(scope="module")
def new(server: postgres.Server, template: str) -> str:
    """The other database."""
    return create(server, template)


@pytest.fixture
def other(server: postgres.Server, template: str) -> str:
    """Another database of this test's own."""
    return create(server, template)


@contextmanager
def engines(*databases: str) -> Iterator[list[Engine]]:
    made = [sync_engine(database, OPERATOR_ROLE) for database in databases]
    try:
        yield made
    finally:
        for engine in made:
            engine.dispose()


def between(source: str, old: Engine, new: Engine) -> Move:
    return Move(source, old, new, "the old place", "the new place", PROJECTIONS, 100, lambda _events: None)


@pytest.fixture
def move(old: str, new: str) -> Iterator[Move]:
    """The move of a source of this test's own."""
    with engines(old, new) as (here, there):
        yield between(f"source-{next(_numbers)}", here, there)


@pytest.fixture
def alone(database: str, other: str) -> Iterator[Move]:
    """The move of the only source of two databases of this test's own."""
    with engines(database, other) as (here, there):
        yield between("movemint", here, there)


def reversed_(move: Move) -> Move:
    return replace(move, old=move.new, new=move.old, old_place=move.new_place, new_place=move.old_place)


def fold(database: str) -> None:
    engine = sync_engine(database, WORKER_ROLE)
    drain(engine)
    engine.dispose()


def rows(database: str, source: str) -> dict[str, list[str]]:
    """Everything that is copied of a source, as PostgreSQL writes it; when a token was used last is not compared."""
    shown = "select (to_jsonb(t) - 'last_used_at')::text from {} t where source = %s order by 1"
    return {table: [row[0] for row in query(database, shown.format(table), source)] for table in COPIED}


def count(database: str, source: str) -> int:
    [(events,)] = query(database, "select count(*) from event_log where source = %s", source)
    return int(events)


def make_token(database: str, name: str, source: str = "movemint") -> str:
    engine = sync_engine(database)
    with engine.begin() as connection:
        token = tokens.create(connection, name, source, (), None)
    engine.dispose()
    return token


def are_same(move: Move, old: str, new: str) -> bool:
    """Both logs are proved, with one chain value, and all that is copied is the same."""
    proofs = [prove(engine, secrets=[model.SECRET], source=move.source) for engine in (move.old, move.new)]
    assert [problems_of(proof) for proof in proofs] == [[], []]
    return proofs[0].chain == proofs[1].chain and rows(old, move.source) == rows(new, move.source)


def is_refused(write: Callable[[], object]) -> str:
    """What a person is told who writes to a source that is elsewhere."""
    with pytest.raises(DRIVER_ERRORS) as caught:
        write()
    error = caught.value
    assert isinstance(error, DRIVER_ERRORS)
    assert sqlstate(error) == "RL001"
    return str(unusable(error))


def fill(database: str, operator: Engine) -> None:
    """A log of eleven events with everything that can be in it, and all that stands beside it."""
    model.append(database, [*PEOPLE, *PEOPLE[:3], PEOPLE[0]])
    fold(database)
    observe(operator, listed(9, len(PEOPLE), first_name="Cyrus"))
    write_header(operator)
    erase(operator, "7")
    erase(operator, "8")
    model.append(database, [model.body(7, first_name=f"{NAME} again"), model.body(8, first_name="Bo again")])
    lift(operator, "8")
    fold(database)
    make_token(database, "reader")
    with psycopg.connect(database) as connection:
        connection.execute(
            "insert into first_absence values ('movemint', '9', 8, 6, now(), 'ab', null, 8), "
            "('other', '1', 1, 1, now(), '', null, 1)"
        )
        connection.execute("insert into dismissed_event values ('movemint', 2, 'me', 'no JSON')")


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


def test_a_source_is_taken_at_one_place_alone(database: str, other: str, alone: Move) -> None:
    """While it arrives, the old place; once it has moved, the new one, which knows what the old one has taken."""
    fill(database, alone.old)
    copy_source(alone)
    assert "is being copied to here from the old place" in is_refused(lambda: model.append(other, [model.body(3)]))
    assert "is being copied" in is_refused(lambda: erase(alone.new, "9"))
    assert model.append(database, [model.body(3)]) == [(12, True)]
    assert move_source(alone).head == 12
    assert are_same(alone, database, other)
    for refused in (
        lambda: model.append(database, [model.body(4)]),
        lambda: model.append(database, [PEOPLE[0]]),
        lambda: observe(alone.old, listed(9, 12)),
        lambda: erase(alone.old, "9"),
        lambda: lift(alone.old, "7"),
    ):
        assert "movemint has moved to the new place: do it there" in is_refused(refused)
    assert model.append(other, [PEOPLE[0], model.body(4), model.body(3)]) == [(1, False), (13, True), (12, False)]
    assert erase(alone.new, "9") == [6, 8]
    again = move_source(alone)
    assert (again.head, again.seconds) == (12, None)
    # The old place can still be read, and follows an erasure of the new one that is brought to it.
    with alone.new.connect() as connection:
        register = write_register([each.erasure for each in erasing.all_erasures(connection)])
    assert traces(database, "Cyrus") != set()
    with alone.old.begin() as connection:
        assert erasing.take_over(connection, read_register(register)) == 1
        for each in erasing.all_erasures(connection):
            erasing.carry_out(connection, "movemint", each.erasure.erasure_id)
    assert traces(database, "Cyrus") == set()
    for engine in (alone.old, alone.new):
        assert problems_of(prove(engine)) == []


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


class Killed(Exception):
    """As if the process had ended here."""


STEPS = ("copy_log", "copy_beside", "turn", "_turn", "_proved")  # `turn`: before its commit


def killed(monkeypatch: pytest.MonkeyPatch, move: Move, after: int) -> bool:
    """Move a source, killed after so many steps; whether it was."""
    left = [after]

    def counted(step: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            done = step(*args)
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return done

        return call

    with monkeypatch.context() as patched:
        for step in STEPS:
            patched.setattr(moving, step, counted(getattr(moving, step)))
        try:
            move_source(move)
        except Killed:
            return True
    return False


def test_a_move_that_was_killed_anywhere_goes_on(
    old: str, new: str, move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever one of the places takes then is at the new one in the end, once; before the first step it knows nothing
    of the source.
    """
    after = 1
    while True:
        one = replace(move, source=f"{move.source}-{after}")
        model.append(old, PEOPLE, one.source)
        if not killed(monkeypatch, one, after):
            break
        content = model.body("between", first_name="between")
        taken = [place for place in (old, new) if takes(place, content, one.source)]
        assert len(taken) <= 1, "it is never taken at both"
        move_source(one)
        assert not takes(old, model.body("late"), one.source)
        kept = [*PEOPLE, *[content] * len(taken)]
        assert model.stored_bodies(new, one.source) == kept
        assert model.append(new, kept, one.source) == [(position, False) for position in range(1, len(kept) + 1)]
        after += 1
    assert after > 10


def takes(database: str, content: bytes, source: str) -> bool:
    try:
        return model.append(database, [content], source)[0][1]
    except errors.DatabaseError as error:
        if error.sqlstate != "RL001":
            raise
        return False


def test_what_is_under_way_at_the_old_place_comes_first(old: str, new: str, move: Move) -> None:
    """A delivery and an erasure that have begun when the old place is left are at the new one, too."""
    model.append(old, [model.body("1", first_name="Unmistakable Ann")], move.source)
    with psycopg.connect(old) as delivering, move.old.connect() as erasing_too, ThreadPoolExecutor(1) as pool:
        model.append_on(delivering, [model.body("under way")], move.source)
        erasing_too.begin()
        erasing.erase(erasing_too, move.source, "1", "an operator", "asked for it")
        moved = pool.submit(move_source, move)
        with psycopg.connect(old, autocommit=True) as look:
            waits(look, "relation")  # the erasure
            erasing_too.commit()
            waits(look, "advisory")  # the delivery
            delivering.commit()
        assert moved.result(timeout=DEADLINE).head == 2
    assert are_same(move, old, new)
    assert traces(new, "Unmistakable Ann") == set()


def test_a_move_is_taken_back_until_something_was_delivered_there(old: str, new: str, move: Move) -> None:
    source = move.source
    model.append(old, PEOPLE, source)
    with pytest.raises(WrongUsage, match="has not moved from the old place"):
        take_back(move)
    move_source(move)
    take_back(move)
    assert model.append(old, [model.body(20)], source) == [(8, True)]
    assert "has moved to the old place" in is_refused(lambda: model.append(new, [model.body(21)], source))
    assert move_source(move).head == 8
    assert model.append(new, [model.body(20), model.body(22)], source) == [(8, False), (9, True)]
    with pytest.raises(WrongUsage, match=r"has taken deliveries of .* since: move it back from there"):
        take_back(move)
    # And so it comes home: the log that was left behind is the beginning of the other one.
    assert move_source(reversed_(move)).head == 9
    assert model.append(old, [model.body(22), model.body(23)], source) == [(9, False), (10, True)]
    assert "has moved to the old place" in is_refused(lambda: model.append(new, [model.body(23)], source))


def test_a_move_that_is_under_way_can_be_taken_back(old: str, move: Move) -> None:
    model.append(old, PEOPLE, move.source)
    copy_source(move)
    with move.new.connect() as connection:
        arrived = whereabouts(connection, move.source)
    with move.old.begin() as connection:
        is_left, left = turn(connection, move.source, Turn.LEAVE, "the new place", arrived)
    assert is_left
    take_back(move)
    with move.new.begin() as connection:  # by a command that slept
        assert not turn(connection, move.source, Turn.COMPLETE, "the old place", left)[0]
    assert model.append(old, [model.body(20)], move.source) == [(8, True)]
    assert move_source(move).head == 8


def test_a_source_moves_to_one_place_only(old: str, other: str, move: Move) -> None:
    model.append(old, PEOPLE, move.source)
    with engines(other) as (engine,):
        elsewhere = replace(move, new=engine, new_place="a third place")
        copy_source(elsewhere)
        move_source(move)
        for refused in (copy_source, move_source, take_back):
            with pytest.raises(WrongUsage, match="has moved to the new place, and that is not a third place"):
                refused(elsewhere)
        with pytest.raises(WrongUsage, match="is not whole in a third place"):
            copy_source(replace(move, old=engine, old_place="a third place"))
        with engine.connect() as connection:
            of_another = whereabouts(connection, move.source)
    assert of_another.state == ARRIVING
    # Not by a command either that was under way with another move.
    at_old, at_new = (Turn.LEAVE, Turn.STAY), (Turn.COMPLETE, Turn.DECLINE)
    for there, what in [*((move.old, what) for what in at_old), *((move.new, what) for what in at_new)]:
        with there.begin() as connection:
            before = whereabouts(connection, move.source)
            known = replace(of_another, head=before.head, chain=before.chain)
            assert turn(connection, move.source, what, "a third place", known) == (False, before), what


def test_the_new_place_takes_nothing_before_the_log_is_whole(old: str, move: Move) -> None:
    model.append(old, PEOPLE, move.source)
    copy_source(move)
    model.append(old, [model.body(20)], move.source)
    with move.new.connect() as connection:
        arrived = whereabouts(connection, move.source)
    with move.old.begin() as connection:
        is_done, left = turn(connection, move.source, Turn.LEAVE, "the new place", arrived)
    assert (is_done, left.state, left.head) == (True, MOVED, 8)
    with move.new.begin() as connection:
        is_done, found = turn(connection, move.source, Turn.COMPLETE, "the old place", left)
    assert (is_done, found.state) == (False, ARRIVING)


def test_a_source_without_an_event_and_one_of_which_an_end_was_altered_do_not_move(
    old: str, new: str, move: Move
) -> None:
    with pytest.raises(WrongUsage, match="has no event in the old place"):
        copy_source(move)
    model.append(old, PEOPLE, move.source)
    copy_source(move)
    with unguarded(new) as connection:
        connection.execute("delete from event_log where position = 4 and source = %s", [move.source])
    with pytest.raises(Failure, match="differ up to position 7"):
        move_source(move)
    assert model.append(old, [model.body(20)], move.source) == [(8, True)], "the old place goes on"


def test_one_database_is_known_by_whatever_address(old: str, new: str) -> None:
    with engines(old, f"{old} application_name=other", new) as (engine, same, another):
        assert is_one_database(engine, same)
        assert not is_one_database(engine, another)


def test_a_rebuild_at_the_new_place_is_the_models_roster(database: str, other: str, alone: Move) -> None:
    bodies = [model.body(number % 9, first_name=f"n{number}") for number in range(40)]
    model.append(database, bodies)
    move_source(alone)
    fold(other)
    assert model.stored_roster(other) == model.roster(bodies)
    engine = sync_engine(other, WORKER_ROLE)
    anew = build_anew(engine, PARTICIPANTS)
    assert contents(other, PARTICIPANTS, anew) == contents(other, PARTICIPANTS, live(engine, PARTICIPANTS))
    engine.dispose()
