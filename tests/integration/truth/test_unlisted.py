"""Who is gone: after two complete looks, an hour apart, or a direct answer; and never by one file alone."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from ingest.log import erase as log_erase
from projections.truth.absence import LookTime, note_absences
from projections.truth.apply import AppliedLook
from projections.truth.comparison import scope_of
from projections.truth.conclusion import NothingConcluded
from projections.truth.drift import DriftKind
from projections.truth.spool import SpooledDifference
from tests import DEADLINE, model
from tests.applying import Apply, listing, own_events
from tests.erased_person import erase, lift, waits
from tests.fold_all import PARTICIPANTS, drain, query

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC) + HOUR  # of a look: after all that arrives in a test
FEWER = listing(besides=39)
UNLISTED = "rosterlog.participant.unlisted"


def gone(database: str) -> list[str]:
    """Who is not listed, by the roster."""
    return [id_ for (id_,) in query(database, "select participant_id from participants where unlisted_at is not null")]


def noted(database: str) -> list[tuple[Any, ...]]:
    return query(database, "select participant_id, position, base, event_ids, confirmed from first_absence order by 1")


def counts(look: AppliedLook) -> tuple[int, int, int, bool]:
    """Not listed before, after, and written down before; and whether it agrees."""
    tally = look.tally
    return tally.kinds[DriftKind.UNLISTED], look.after.unlisted, tally.written_down, look.agrees


def test_promise_15_two_looks_an_hour_apart_make_somebody_unlisted(applied: Apply, database: str) -> None:
    first = applied(FEWER, taken_at=NOW)
    assert (counts(first), gone(database)) == ((1, 1, 0, False), [])
    assert noted(database) == [("40", 41, 40, ["501"], 41)]
    soon = applied(FEWER, taken_at=NOW + HOUR - timedelta(seconds=1))
    assert (counts(soon), noted(database)) == ((1, 1, 0, False), [("40", 41, 40, ["501"], 42)])
    second = applied(FEWER, taken_at=NOW + HOUR)
    assert (counts(second), gone(database)) == ((1, 0, 0, True), ["40"])
    *_, event, header = own_events(database)
    assert (event["type"], event["subject"], event["base"]) == (UNLISTED, "40", 40)
    assert event["data"]["object"]["first_name"] == "n40"
    assert event["absence"] == {
        "verified_by": "two looks", "first": {"position": 41, "taken_at": NOW.isoformat()},
        "second": {"taken_at": (NOW + HOUR).isoformat()},
    }  # fmt: skip
    assert (header["data"]["before"]["unlisted"], header["data"]["after"]["unlisted"]) == (1, 0)
    assert query(database, "select status, origin from participants where participant_id = '40'") == [
        (None, "observation")
    ]
    again = applied(FEWER, taken_at=NOW + HOUR)
    assert (counts(again), again.fates.total()) == ((0, 0, 1, True), 0), "it is drift no more"
    assert again.tally.agreeing == 39


def test_promise_15_whoever_is_listed_again_is_not_unlisted_any_more(applied: Apply, database: str) -> None:
    for taken_at in (NOW, NOW + HOUR):
        applied(FEWER, taken_at=taken_at)
    assert gone(database) == ["40"]
    look = applied(listing(), taken_at=NOW + 2 * HOUR)
    assert (look.tally.columns, look.agrees, gone(database)) == ({"unlisted_at": 1}, True, [])
    event = own_events(database)[-2]
    assert (event["type"], event["data"]["object"]["bib"]) == ("rosterlog.participant.observed", "40")
    assert applied(listing(), taken_at=NOW + 2 * HOUR).tally.agreeing == 40


def test_whoever_a_look_lists_in_between_is_missed_for_the_first_time_again(applied: Apply, database: str) -> None:
    for content, taken_at in ((FEWER, NOW), (listing(), NOW + HOUR), (FEWER, NOW + 2 * HOUR)):
        applied(content, taken_at=taken_at)
        assert gone(database) == []
    assert [position for _, position, *_ in noted(database)] == [43]
    applied(FEWER, taken_at=NOW + 3 * HOUR)
    assert gone(database) == ["40"]


def test_whoever_movemint_speaks_of_in_between_is_missed_for_the_first_time_again(
    applied: Apply, database: str, worker_engine: Engine
) -> None:
    applied(FEWER, taken_at=NOW)
    model.append(database, [model.body(40, event_id=501, first_name="n40", bib="40", wave="B")])
    drain(worker_engine)
    look = applied(FEWER, taken_at=NOW + HOUR)
    assert (counts(look), gone(database)) == ((1, 1, 0, False), [])
    assert noted(database) == [("40", 43, 42, ["501"], 43)]
    applied(FEWER, taken_at=NOW + 2 * HOUR)
    assert gone(database) == ["40"]


def test_whoever_has_a_parked_event_is_not_said_to_be_gone(
    applied: Apply, database: str, worker_engine: Engine
) -> None:
    model.append(database, [b'{"type": "event.participant.created", "data": {"object": {"id": 40, "bib": "\\ud83d"}}}'])
    drain(worker_engine)
    for taken_at in (NOW, NOW + HOUR):
        look = applied(FEWER, taken_at=taken_at)
        assert (counts(look), [why.name for why in look.tally.reasons]) == ((0, 0, 0, False), ["PARKED"])
    assert (gone(database), query(database, "select count(*) from quarantine")) == ([], [(1,)])


def test_a_look_at_fewer_events_is_no_first_look_for_one_at_more(
    applied: Apply, database: str, worker_engine: Engine
) -> None:
    """Whoever went to another event might have been listed there."""
    model.append(database, [model.body(50, event_id=502, bib="50")])
    drain(worker_engine)
    both = "\n".join(["id,bib,event_id", *(f"{n},{n},501" for n in range(1, 40)), "50,50,502", ""])
    applied(FEWER, taken_at=NOW)
    applied(both, "501", "502", taken_at=NOW + HOUR)
    assert gone(database) == []
    assert [events for *_, events, _ in noted(database)] == [["501", "502"]]
    applied(FEWER, taken_at=NOW + 2 * HOUR)
    assert gone(database) == ["40"], "a look at more events is one for fewer"


def test_a_copy_of_the_same_file_is_no_second_look_unless_its_time_is_said(applied: Apply, database: str) -> None:
    applied(FEWER, taken_at=NOW, has_file_time=True)
    copied = applied(FEWER, taken_at=NOW + HOUR, has_file_time=True)
    assert (counts(copied), gone(database)) == ((1, 1, 0, False), [])
    assert noted(database) == [("40", 41, 40, ["501"], 42)]
    other = applied(FEWER.replace("id,bib", "ID,bib"), taken_at=NOW + HOUR, has_file_time=True)
    assert (counts(other), gone(database)) == ((1, 0, 0, True), ["40"])


def test_the_same_bytes_are_a_second_look_at_the_time_that_is_said(applied: Apply, database: str) -> None:
    applied(FEWER, taken_at=NOW, has_file_time=True)
    assert applied(FEWER, taken_at=NOW + HOUR).agrees
    assert gone(database) == ["40"]


def test_whoever_a_file_with_a_row_of_nobody_known_lists_is_missed_for_the_first_time_again(
    applied: Apply, database: str
) -> None:
    two = listing(besides=38)
    applied(two, taken_at=NOW)
    applied(FEWER + ",99\n", taken_at=NOW + HOUR)
    assert [(id_, position) for id_, position, *_ in noted(database)] == [("40", 41)], "39 is listed, 40 may be"
    applied(two, taken_at=NOW + 2 * HOUR)
    assert gone(database) == ["40"]


def test_a_list_that_was_read_at_two_times_is_no_look_at_who_is_gone(applied: Apply, database: str) -> None:
    for taken_at in (NOW, NOW + HOUR):
        look = applied(FEWER, taken_at=taken_at, is_of_one_time=False)
        assert (counts(look), gone(database), noted(database)) == ((1, 1, 0, False), [], [])


NAMES = "\n".join(["first_name,last_name,dob", *(f"n{n},x,1990-05-0{n}" for n in range(1, 9)), "n,x,1990-05-06", ""])


@pytest.mark.parametrize(("content", "match"), [(FEWER + ",40\n", "id"), (NAMES, "first_name+last_name+dob")])
def test_rows_of_nobody_known_could_be_whoever_seems_not_to_be_listed(
    applied: Apply, database: str, worker_engine: Engine, content: str, match: str
) -> None:
    people = [
        model.body(number, event_id=501, first_name=f"n{number}", last_name="x", dob=f"1990-05-0{number}")
        for number in range(1, 10)
    ]
    model.append(database, people)
    drain(worker_engine)
    *known, _ = content.splitlines(keepends=True)
    for rows, unplaced, is_noted in ((content, 1, False), ("".join(known), 0, True), (content, 1, True)):
        look = applied(rows, match=match, taken_at=NOW + len(own_events(database)) * HOUR, allowed=("bib",), unlisted=9)
        assert (look.unplaced, bool(look.after.unlisted), gone(database)) == (unplaced, True, [])
        assert bool(noted(database)) == is_noted


def test_a_direct_answer_says_at_once_who_is_gone_and_who_is_not(applied: Apply, database: str) -> None:
    applied(listing(besides=38), taken_at=NOW)
    answers = {"39": False, "40": True}
    look = applied(listing(besides=37), taken_at=NOW + HOUR, answer=answers.get, unlisted=2)
    assert (counts(look), gone(database)) == ((3, 2, 0, False), ["40"]), "listed, and no answer"
    assert own_events(database)[-2]["absence"] == {"verified_by": "direct answer"}
    assert [id_ for id_, *_ in noted(database)] == ["38"]


def test_many_who_are_gone_need_a_word_and_nothing_is_appended_without(applied: Apply, database: str) -> None:
    three = listing("1,A1", besides=37)
    applied(three, taken_at=NOW)
    before = own_events(database)
    for number in (0, 2):
        with pytest.raises(NothingConcluded, match=r"of 40 on the roster, 3 are not listed.*add --allow-unlisted 3"):
            applied(three, taken_at=NOW + HOUR, unlisted=number)
    with pytest.raises(NothingConcluded, match="add --allow-unlisted 3"):
        applied(three, taken_at=NOW, answer=lambda _id: pytest.fail("so many are not asked for without a word"))
    assert own_events(database) == before
    assert applied(three, taken_at=NOW + HOUR, unlisted=3).agrees
    assert len(gone(database)) == 3
    # Two of forty are five of a hundred, and those who are gone already do not count.
    for taken_at in (NOW + 2 * HOUR, NOW + 3 * HOUR):
        applied(listing("1,A1", besides=35), taken_at=taken_at)
    assert len(gone(database)) == 5
    assert applied(listing("1,A1"), taken_at=NOW + 4 * HOUR).agrees, "back they come without a word"
    assert gone(database) == []


def test_a_file_that_lists_nobody_of_an_event_concludes_nothing_though_some_are_gone_already(
    applied: Apply, database: str, worker_engine: Engine
) -> None:
    model.append(database, [model.body(50, event_id=502), model.body(51, event_id=502)])
    drain(worker_engine)
    of_all = "\n".join(["id,event_id", *(f"{n},501" for n in range(1, 41)), "50,502", ""])
    for taken_at in (NOW, NOW + HOUR):
        applied(of_all, is_of_all=True, taken_at=taken_at)
    assert gone(database) == ["51"]
    with pytest.raises(NothingConcluded, match="lists nobody of event 502"):
        applied(of_all.replace("50,502\n", ""), is_of_all=True, taken_at=NOW + 2 * HOUR)


def test_a_named_event_of_which_nobody_is_listed_needs_a_word(
    applied: Apply, database: str, worker_engine: Engine
) -> None:
    model.append(database, [model.body(50, event_id=502)])
    drain(worker_engine)
    of_one = listing() + "\n"
    for taken_at in (NOW, NOW + HOUR):
        with pytest.raises(NothingConcluded, match=r"nobody of event 502 is listed, and 1 .*--allow-unlisted 1"):
            applied(of_one, "501", "502", taken_at=taken_at)
        applied(of_one, "501", "502", taken_at=taken_at, unlisted=1)
    assert gone(database) == ["50"]
    assert applied(of_one, "501", "502", taken_at=NOW + 2 * HOUR).agrees


@pytest.mark.usefixtures("applied")
def test_promise_7_an_erasure_under_way_comes_before_what_is_noted(
    database: str, operator: Engine, worker_engine: Engine
) -> None:
    with worker_engine.connect() as reading:
        scope = scope_of(reading, PARTICIPANTS, "movemint", None)
    missed = [SpooledDifference(DriftKind.UNLISTED, id_, 40, {}) for id_ in ("39", "40")]
    with operator.connect() as erasing, ThreadPoolExecutor(1) as pool:
        log_erase.erase(erasing, "movemint", "40", "ops", "asked for it")
        noting = pool.submit(note_absences, operator, scope, 40, LookTime(NOW, "00"), iter(missed))
        with psycopg.connect(database, autocommit=True) as looking:
            waits(looking, "relation")
        erasing.commit()
        noting.result(DEADLINE)
    assert [id_ for id_, *_ in noted(database)] == ["39"]


def test_a_delivery_between_comparing_and_writing_keeps_somebody_listed(applied: Apply, database: str) -> None:
    def deliver() -> None:
        model.append(database, [model.body(40, event_id=501, bib="new")])

    applied(FEWER, taken_at=NOW)
    look = applied(FEWER, taken_at=NOW + HOUR, meanwhile=deliver)
    assert ({fate.value: number for fate, number in look.fates.items()}, gone(database)) == ({"overtaken": 1}, [])
    assert (look.after.unlisted, look.after.unknowable, look.agrees) == (0, 1, True)


def test_promise_7_whoever_is_erased_is_not_noted_and_has_no_row(
    applied: Apply, database: str, operator: Engine
) -> None:
    applied(listing(besides=38), taken_at=NOW, meanwhile=lambda: erase(operator, "39"))
    assert [id_ for id_, *_ in noted(database)] == ["40"]
    erase(operator, "40")
    assert noted(database) == []
    lift(operator, "40")
    assert applied(FEWER, taken_at=NOW + HOUR).after.unlisted == 0


def test_a_time_of_grace_leaves_those_who_changed_shortly_before_alone(applied: Apply, database: str) -> None:
    [(newest,)] = query(database, "select max(received_at) from event_log")
    for grace, unlisted in ((timedelta(minutes=1), 0), (timedelta(0), 1)):
        look = applied(FEWER, taken_at=newest + timedelta(seconds=30), grace=grace)
        assert look.after.unlisted == unlisted
    assert [each["data"]["grace_seconds"] for each in own_events(database)] == [60, 0]


@pytest.mark.parametrize("stop", range(3))
def test_killed_at_any_batch_the_next_run_ends_in_the_same_roster(
    applied: Apply, database: str, monkeypatch: pytest.MonkeyPatch, worker_engine: Engine, stop: int
) -> None:
    monkeypatch.setattr("ingest.log.observe._MOST_AT_ONCE", 2)
    content = listing("1,A1", "77,77", besides=36)
    applied(listing(besides=36), taken_at=NOW)
    batches = iter(range(9))

    def advance(_number: int) -> None:
        if next(batches) == stop:
            raise KeyboardInterrupt

    try:
        applied(content, taken_at=NOW + HOUR, unlisted=4, advance=advance)
    except KeyboardInterrupt:
        drain(worker_engine)
    applied(content, taken_at=NOW + HOUR, unlisted=4)
    assert sorted(gone(database)) == ["37", "38", "39", "40"]
    assert applied(content, taken_at=NOW + HOUR).tally.agreeing == 37
