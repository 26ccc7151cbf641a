"""Guards: nothing is concluded from a look that did not finish or is of something else; nobody is judged too early."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from ingest.simulator.people import body_of, person
from projections.participants.fields import DECLARED
from projections.truth.cells import date_forms
from projections.truth.comparison import FileLook, compare_listing, scope_of
from projections.truth.conclusion import NothingConcluded
from projections.truth.drift import DriftTally, RosterDifference
from projections.truth.listing import listing_of
from projections.truth.mapping import guessed
from projections.truth.matching import MATCHINGS
from tests import model
from tests.erased_person import erase, lift
from tests.fold_all import PARTICIPANTS, drain, query

BODIES = [
    model.body(number, event_id=501 + (number > 3), first_name=f"n{number}", bib=str(number), dob="1990-05-06")
    for number in range(1, 7)
]
Compare = Callable[..., tuple[DriftTally, list[RosterDifference]]]


@pytest.fixture
def compare(database: str, worker_engine: Engine, tmp_path: Path) -> Compare:
    """Three people of the event 501, three of 502, to compare files with."""
    model.append(database, BODIES)
    drain(worker_engine)

    def one(
        content: str,
        *events: str,
        match: str = "id",
        taken_at: datetime | None = None,
        meanwhile: Callable[[Path], None] = lambda _path: None,
        **more: object,
    ) -> tuple[DriftTally, list[RosterDifference]]:
        path = tmp_path / "listed.csv"
        path.write_text(content)
        listing = listing_of(path)
        columns = guessed(listing.headings, DECLARED).columns
        look = FileLook(listing, columns, MATCHINGS[match], taken_at or datetime.now(UTC))
        differences: list[RosterDifference] = []
        meanwhile(path)
        with snapshot(worker_engine) as connection:
            scope = scope_of(connection, PARTICIPANTS, "movemint", events or None)
            tally = compare_listing(connection, scope, replace(look, **more), DECLARED, differences.append)  # type: ignore[arg-type] # of a look
        return tally, differences

    return one


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        yield connection


def kinds(differences: list[RosterDifference]) -> list[tuple[str, str | None, str | None]]:
    found = [(each.kind.value, each.participant_id, each.why and each.why.name) for each in differences]
    return sorted(found, key=str)


def test_fewer_rows_than_expected_conclude_nothing(compare: Compare) -> None:
    content = "id\n1\n2\n3\n"
    with pytest.raises(NothingConcluded, match="lists 3, and --expect says 4"):
        compare(content, "501", expected=4)
    assert compare(content, "501", expected=3)[0].agrees
    with pytest.raises(NothingConcluded, match="lists nobody"):
        compare("id\n", "501")


def test_an_id_that_is_listed_twice_concludes_nothing(compare: Compare) -> None:
    for content in ("id,bib\n1,1\n2,2\n1,1\n", "id,bib\n1,1\n2,2\n1,9\n", "id,bib\n9,1\n2,2\n9,2\n"):
        for events in (("501",), ()):
            with pytest.raises(NothingConcluded, match=r"lists \d twice"):
                compare(content, *events)


def test_another_events_file_concludes_nothing(compare: Compare) -> None:
    with pytest.raises(NothingConcluded, match=r"event 502, which --event does not name"):
        compare("id,event_id\n1,501\n2,501\n3,501\n4,502\n", "501")
    with pytest.raises(NothingConcluded, match=r"event 502, which --event does not name"):
        compare("id,event_id\n9,502\n1,501\n", "501")
    with pytest.raises(NothingConcluded, match=r"2 are on the roster in event 502, and 1 in event 501"):
        compare("id\n4\n5\n1\n", "501")
    with pytest.raises(NothingConcluded, match="nobody of the file is among the 3 on the roster"):
        compare("id\n7\n8\n9\n", "501")
    with pytest.raises(NothingConcluded, match="nobody of the file is among the 6 on the roster"):
        compare("id\n7\n8\n9\n")


def test_a_file_of_one_event_says_nothing_of_another_one(compare: Compare) -> None:
    content = "id\n1\n2\n3\n"
    with pytest.raises(NothingConcluded, match="lists nobody of event 502: name the events"):
        compare(content)
    assert compare(content, "501")[0].agrees
    with pytest.raises(NothingConcluded, match=r"nobody of event 502 is listed, and 3 .*--allow-unlisted 3 lets it"):
        compare(content, "501", "502")


def test_a_younger_or_parked_person_does_not_make_it_a_file_of_their_event(
    compare: Compare, database: str, worker_engine: Engine
) -> None:
    taken_at = query(database, "select clock_timestamp()")[0][0]
    broken = b'{"type": "event.participant.created", "data": {"object": {"id": 5, "first_name": "\\ud83d"}}}'
    model.append(database, [model.body(8, event_id=502), model.body(9, event_id=503), broken])
    drain(worker_engine)
    with pytest.raises(NothingConcluded, match="lists nobody of event 502: name the events"):
        compare("id\n1\n2\n3\n", taken_at=taken_at)
    _, differences = compare("id\n1\n2\n3\n4\n5\n6\n", taken_at=taken_at)
    assert ("unknowable", "9", "YOUNGER") in kinds(differences), "an event that is younger than the file"


def test_a_file_without_events_says_that_all_are_in_the_one_that_is_named(compare: Compare) -> None:
    tally, [difference] = compare("id\n1\n2\n3\n4\n", "501")
    assert (difference.participant_id, dict(difference.columns)) == ("4", {"event_id": ("501", "502")})
    assert tally.columns == {"event_id": 1}
    _, [difference] = compare("id\n1\n2\n3\n4\n", "501", "503")
    assert (difference.participant_id, dict(difference.columns)) == ("4", {"event_id": ("", "502")})


def test_nobody_is_judged_of_whom_something_arrived_since(
    compare: Compare, database: str, worker_engine: Engine
) -> None:
    taken_at = query(database, "select clock_timestamp()")[0][0]
    again = model.again(BODIES[0], 2)  # which says the same, so that the state on the roster is the earlier one
    model.append(database, [again, model.body(8, event_id=501)])
    drain(worker_engine)
    content = "id,bib\n1,x\n2,x\n3,3\n"
    _, differences = compare(content, "501", taken_at=taken_at)
    assert kinds(differences) == [
        ("stale", "2", None), ("unknowable", "1", "YOUNGER"), ("unknowable", "8", "YOUNGER"),
    ]  # fmt: skip
    later, differences = compare(content, "501")
    assert kinds(differences) == [("stale", "1", None), ("stale", "2", None), ("unlisted", "8", None)]
    assert not later.agrees
    assert {each.participant_id: each.base for each in differences} == {"1": 7, "2": 2, "8": 8}


def test_what_is_not_folded_yet_is_not_judged(compare: Compare, database: str) -> None:
    model.append(database, [model.body(1, event_id=501, bib="x"), model.body(9, event_id=501)])
    tally, differences = compare("id,bib\n1,x\n2,2\n3,3\n9,\n", "501")
    assert kinds(differences) == [("unknowable", "1", "WAITING"), ("unknowable", "9", "WAITING")]
    assert tally.agrees


def test_whoever_was_updated_later_than_the_file_says_is_not_judged(
    compare: Compare, database: str, worker_engine: Engine
) -> None:
    model.append(
        database, [model.body(1, event_id=501, bib="7", updated_at="2026-03-02T08:00:00Z"), model.body(2, bib="2")]
    )
    drain(worker_engine)
    content = "id,bib,updated_at\n1,x,{}\n3,3,\n"
    for updated, found in (
        ("2026-03-02T07:59:59Z", ("unknowable", "1", "AHEAD")),
        ("2026-03-02T08:00:00Z", ("stale", "1", None)),
        ("2026-03-02T10:00:00+01:00", ("stale", "1", None)),
        ("", ("stale", "1", None)),
    ):
        _, differences = compare(content.format(updated), "501")
        assert kinds(differences) == [found]


def test_times_of_another_zone_conclude_nothing_and_rounded_ones_are_the_same(
    compare: Compare, database: str, worker_engine: Engine
) -> None:
    times = [f"2026-03-02T08:0{number}:31.25Z" for number in (7, 8, 9)]
    people = [model.body(7 + n, event_id=504, bib=str(n), updated_at=time) for n, time in enumerate(times)]
    model.append(database, people)
    drain(worker_engine)
    content = "id,bib,Updated at\n7,0,{}\n8,1,{}\n9,x,{}\n"
    for rounded in (
        "2026-03-02T08:0{}Z",
        "2026-03-02T08:0{}:31Z",
        "2026-03-02T10:0{}+02:00",
        "2026-03-02 08:0{}:31.25",
    ):
        _, [difference] = compare(content.format(*(rounded.format(n) for n in (7, 8, 9))), "504")
        assert (difference.participant_id, [*difference.columns]) == ("9", ["bib"]), rounded
    with pytest.raises(
        NothingConcluded, match="3 of 3 people were updated later than 'Updated at' says: are its times"
    ):
        compare(content.format(*(f"2026-03-02T07:0{n}:31Z" for n in (7, 8, 9))), "504")


def test_a_file_that_is_older_than_whom_it_lists_concludes_nothing(
    compare: Compare, database: str, worker_engine: Engine
) -> None:
    old = datetime(1980, 1, 1, tzinfo=UTC)
    with pytest.raises(NothingConcluded, match=r"older than what it is compared with.* --taken-at"):
        compare("id,bib\n1,1\n2,2\n3,x\n", "501", taken_at=old)
    assert compare("id,bib\n1,1\n2,2\n3,3\n", "501", taken_at=old)[0].agrees
    taken_at = query(database, "select clock_timestamp()")[0][0]
    for number, is_refused in ((3, False), (11, True)):
        model.append(database, [model.body(100 + n, event_id=501) for n in range(number)])
        drain(worker_engine)
        refused = pytest.raises(NothingConcluded, match="is older than") if is_refused else nullcontext()
        with refused:
            compare("id,bib\n1,1\n2,2\n3,3\n", "501", taken_at=taken_at)


def test_the_erased_and_the_parked_are_told_apart_from_the_missing(
    compare: Compare, database: str, worker_engine: Engine, operator: Engine
) -> None:
    broken = b'{"type": "event.participant.created", "data": {"object": {"id": %d, "first_name": "\\ud83d"}}}'
    model.append(database, [model.body(7, event_id=501), broken % 8, broken % 2])
    drain(worker_engine)
    erase(operator, "7")
    content = "id,bib\n1,1\n2,x\n3,3\n7,7\n8,8\n9,9\n"
    tally, differences = compare(content, "501")
    assert kinds(differences) == [
        ("missing", "9", None), ("unknowable", "2", "PARKED"), ("unknowable", "7", "ERASED"),
        ("unknowable", "8", "PARKED"),
    ]  # fmt: skip
    assert not tally.agrees
    lift(operator)
    assert ("missing", "7", None) in kinds(compare(content, "501")[1])


def test_values_that_cannot_be_read_are_not_taken_for_others(compare: Compare) -> None:
    tally, differences = compare("id,dob\n1,1990-05-06\n2,6 May 1990\n3,1990-05-07\n", "501")
    assert kinds(differences) == [("stale", "3", None), ("unknowable", "2", "UNREADABLE")]
    assert tally.unreadable == {"dob": 1}
    content = "id,dob\n1,06/05/1990\n2,06.05.1990\n3,06/05/1990\n"
    with pytest.raises(NothingConcluded, match="2 of 3 values of dob cannot be read: give --date-format"):
        compare(content.replace("2,06.05.1990", "2,"), "501")
    _, [difference] = compare(content, "501", forms=date_forms("DD/MM/YYYY"))
    assert (difference.participant_id, difference.why and difference.why.name) == ("2", "UNREADABLE")


def test_rows_without_a_key_are_told_with_their_numbers(compare: Compare) -> None:
    tally, differences = compare("id,bib\n1,1\n,2\n \t,3\n3,3\n", "501")
    assert [(each.row, each.why and each.why.name) for each in differences if each.row] == [
        (3, "WITHOUT_KEY"), (4, "WITHOUT_KEY"),
    ]  # fmt: skip
    assert [each.participant_id for each in differences if each.kind.value == "unlisted"] == ["2"]
    assert not tally.agrees


def test_rows_that_mostly_have_no_key_conclude_nothing(compare: Compare) -> None:
    with pytest.raises(NothingConcluded, match="2 of 3 rows lack what people are found by"):
        compare("id,bib\n1,1\n,2\n,3\n", "501")


def test_a_file_that_is_changed_while_it_is_read_concludes_nothing(compare: Compare) -> None:
    with pytest.raises(NothingConcluded, match="was changed while it was read"):
        compare("id\n1\n2\n3\n", "501", meanwhile=lambda path: os.utime(path, (0, 0)))


def test_twins_are_never_guessed(compare: Compare, database: str, worker_engine: Engine) -> None:
    twins = [model.body(number, event_id=503, first_name="A", last_name="B", dob="1990-05-06") for number in (7, 8)]
    model.append(database, twins)
    drain(worker_engine)
    content = "first_name,last_name,dob,bib\nÁ,b,1990-05-06,1\n"
    match = "first_name+last_name+dob"
    for rows in (content, content + "a,B,1990-05-06,2\n"):
        tally, differences = compare(rows, "503", match=match)
        assert kinds(differences) == [("unknowable", "7", "AMBIGUOUS"), ("unknowable", "8", "AMBIGUOUS")]
        assert not tally.agrees


def test_whoever_has_no_key_on_the_roster_is_not_said_to_be_unlisted(
    compare: Compare, database: str, worker_engine: Engine
) -> None:
    model.append(database, [model.body(7, event_id=503, email="a@example.org"), model.body(8, event_id=503)])
    drain(worker_engine)
    tally, differences = compare("email\nA@Example.org\n", "503", match="email+event")
    assert kinds(differences) == [("stale", "7", None), ("unknowable", "8", "WITHOUT_KEY")]
    assert not tally.agrees


def test_people_are_found_by_their_confirmation_number_in_the_object(
    compare: Compare, database: str, worker_engine: Engine
) -> None:
    people = [{**person(1, number), "event_id": 503, "confirmation_number": f" C{number % 3}\t"} for number in range(4)]
    model.append(database, map(body_of, people))
    drain(worker_engine)
    content = "Confirmation number,last_name\n" + "".join(f"C{number},other\n" for number in range(1, 4))
    _, differences = compare(content, "503", match="confirmation_number")
    ids = [str(each["id"]) for each in people]
    assert kinds(differences) == [
        ("missing", None, None), ("stale", ids[1], None), ("stale", ids[2], None), ("unlisted", ids[0], None),
        ("unlisted", ids[3], None),
    ]  # fmt: skip
    with pytest.raises(NothingConcluded, match="no heading is email, by which"):
        compare(content, "503", match="email+event")
