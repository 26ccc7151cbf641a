"""A source moved to another database: one place at a time takes its deliveries, and none is lost or doubled."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from psycopg import errors

from ingest.database import WORKER_ROLE, sync_engine
from ingest.failures import Failure, WrongUsage
from ingest.log import erase as erasing
from ingest.log.register import read_register, write_register
from ingest.log.whereabouts import ARRIVING, MOVED, Turn, is_one_database, turn, whereabouts
from projections.folding import moving
from projections.folding.moving import Move, copy_source, move_source, take_back
from tests import DEADLINE, model
from tests.erased_person import erase, lift, traces, waits
from tests.fold_all import PARTICIPANTS, build_anew, contents, live
from tests.integration.log.test_verify import problems_of, prove, unguarded
from tests.moves import PEOPLE, are_same, engines, fill, fold, is_refused, reversed_
from tests.observing import listed, observe


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
