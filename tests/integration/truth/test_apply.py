"""What is written down of a file, what is not, and why: each guard, and a look at the events in the log."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from projections.participants.fields import DECLARED
from projections.truth.conclusion import NothingConcluded
from projections.truth.laying import NotLaid
from tests import model
from tests.applying import BODIES, Apply, listing, own_events, roster
from tests.erased_person import erase
from tests.fold_all import drain, query


def test_promise_15_whole_objects_are_written_down_and_the_header_last(applied: Apply, database: str) -> None:
    content = listing("1,A1", "77,77")
    look = applied(content)
    assert look.agrees
    assert roster(database, 1, 77) == [
        ("1", "n1", "A1", "501", "observation"), ("77", None, "77", "501", "observation"),
    ]  # fmt: skip
    *people, header = own_events(database)
    by_id = {each["subject"]: each for each in people}
    assert by_id["1"]["data"]["object"] == {**json.loads(BODIES[0])["data"]["object"], "bib": "A1"}
    assert by_id["77"]["data"]["object"] == {"id": "77", "bib": "77", "event_id": "501"}
    assert b'"size": 15.10' in query(database, "select body from event_log where position > 40 and subject = '1'")[0][0]
    assert (by_id["1"]["base"], by_id["77"]["base"]) == (1, 0)
    digest = hashlib.sha256(content.encode()).hexdigest()
    assert {(each["observation"], each["file_sha256"]) for each in (*people, header)} == {
        (look.observation.observation_id, digest)
    }
    assert header["data"]["chain"] == model.chains(database)[39].hex()
    told = {key: header["data"][key] for key in ("kind", "scope", "match", "rows", "position", "overtaken", "withheld")}
    assert told | {"agrees": header["data"]["agrees"]} == {
        "agrees": True,
        "kind": "file", "scope": ["501"], "match": ["participant_id"], "rows": 41, "position": 40, "overtaken": 0,
        "withheld": 0,
    }  # fmt: skip
    none = {"missing": 0, "stale": 0, "unlisted": 0, "unknowable": 0, "columns": {}}
    assert header["data"]["before"] == {**none, "missing": 1, "stale": 1, "columns": {"bib": 1}}
    assert header["data"]["after"] == none


def test_the_same_file_again_appends_its_header_alone(applied: Apply, database: str) -> None:
    content, taken_at = listing("1,A1", "77,77"), datetime.now(UTC)
    applied(content, taken_at=taken_at)
    again = applied(content, taken_at=taken_at)
    assert (again.agrees, again.fates.total(), len(own_events(database))) == (True, 0, 4)


def test_a_file_that_another_mapping_reads_goes_on_with_whom_it_wrote_down(applied: Apply, database: str) -> None:
    """They are not younger than the file that they are from; they are younger than another one."""
    taken_at = datetime.now(UTC)
    content = "\n".join(["id,bib,first_name", "1,A1,Ann", *(f"{n},{n}," for n in range(2, 41)), ""])
    applied(content, taken_at=taken_at, uncompared=("first_name",))
    assert roster(database, 1) == [("1", "n1", "A1", "501", "observation")]
    another = applied(content.replace("Ann", "Anna"), taken_at=taken_at)
    assert [why.name for why in another.tally.reasons] == ["YOUNGER"]
    assert applied(content, taken_at=taken_at).agrees
    assert roster(database, 1) == [("1", "Ann", "A1", "501", "observation")]


def test_who_has_a_long_object_is_written_down_beside_the_others(
    applied: Apply, database: str, worker_engine: Engine
) -> None:
    """It is read by itself: so many long ones at once would be too much memory."""
    model.append(database, [model.body(2, event_id=501, first_name="n2", bib="2", note="x" * 20_000)])
    drain(worker_engine)
    assert applied(listing("1,A1", "2,A2")).agrees
    assert [row[2] for row in roster(database, 1, 2)] == ["A1", "A2"]


def two_columns_of_one_key(*columns: str) -> Any:  # noqa: ANN401 - fields
    shared = {
        column: replace(field, keys=(columns[0],)) for field in DECLARED.columns if (column := field.column) in columns
    }
    return replace(DECLARED, columns=tuple(shared.get(field.column, field) for field in DECLARED.columns))


def test_what_would_change_another_column_is_not_laid_over(applied: Apply, database: str) -> None:
    look = applied(listing("1,A1"), fields=two_columns_of_one_key("bib", "team"))
    assert (look.left, look.after.stale, look.agrees) == ({NotLaid.NOT_READ: 1}, 1, False)
    assert [each["type"] for each in own_events(database)] == ["rosterlog.observation"]


def test_many_who_are_stale_in_one_column_are_written_down_only_if_that_is_allowed(
    applied: Apply, database: str
) -> None:
    applied(listing("1,A1", "2,A2"))  # two of forty are five of a hundred
    three = listing("1,A1", "2,A2", *(f"{number},B{number}" for number in (3, 4, 5)))
    for allowed in ((), ("team",)):
        with pytest.raises(NothingConcluded, match=r"of 40 people .*: 3 in bib; .*add --allow-stale bib"):
            applied(three, allowed=allowed)
    assert len(own_events(database)) == 3
    assert applied(three, allowed=("bib",)).agrees
    assert roster(database, 5) == [("5", "n5", "B5", "501", "observation")]


def test_a_delivery_between_comparing_and_writing_wins(applied: Apply, database: str) -> None:
    def deliver() -> None:
        model.append(database, [model.body(1, event_id=501, bib="new")])

    look = applied(listing("1,A1", "2,A2"), meanwhile=deliver)
    assert {fate.value: number for fate, number in look.fates.items()} == {"appended": 1, "overtaken": 1}
    assert (look.after.stale, look.after.unknowable, dict(look.after.columns)) == (0, 1, {})
    assert roster(database, 1, 2) == [("1", None, "new", "501", "delivery"), ("2", "n2", "A2", "501", "observation")]
    assert own_events(database)[-1]["data"]["overtaken"] == 1


def test_nobody_who_is_erased_is_written_down(applied: Apply, database: str, operator: Engine) -> None:
    erase(operator, "3")
    look = applied(listing("1,A1", "3,A3"), meanwhile=lambda: erase(operator, "1"))
    assert (look.fates.total(), [fate.value for fate in look.fates], look.after.unknowable) == (1, ["withheld"], 2)
    assert roster(database, 1, 3) == []
    assert [each["type"] for each in own_events(database)] == ["rosterlog.observation"]


def test_a_file_without_ids_appends_nobody_who_is_missing(applied: Apply, database: str, operator: Engine) -> None:
    model.append(database, [model.body(50, event_id=502, email="a@example.org", bib="1")])
    model.append(database, [model.body(51, event_id=502, email="gone@example.org")])
    erase(operator, "51")
    content = "email,bib\nA@example.org,2\ngone@example.org,3\n"
    applied(listing("1,1"))
    look = applied(content, "502", match="email+event", allowed=("bib", "email"))
    assert (look.missing_without_id, look.after.missing, look.after.stale, look.agrees) == (1, 1, 0, False)
    assert roster(database, 50, 51) == [("50", None, "2", "502", "observation")]
    assert b"gone" not in b"".join(json.dumps(each).encode() for each in own_events(database))


def test_whoever_is_in_one_of_several_events_gets_none_that_the_file_does_not_say(
    applied: Apply, database: str, worker_engine: Engine
) -> None:
    model.append(database, [model.body(50, event_id=503, bib="1")])
    drain(worker_engine)
    look = applied(listing("50,A50", "77,77"), "501", "502")
    assert (look.left, look.after.missing, look.after.stale) == ({NotLaid.WITHOUT_EVENT: 2}, 1, 1)
    assert (look.agrees, dict(look.after.columns)) == (False, {"event_id": 1})
    assert roster(database, 50, 77) == [("50", None, "A50", "503", "observation")]


def test_an_empty_cell_takes_a_value_away_where_it_says_so(applied: Apply, database: str) -> None:
    applied(listing("1,"))
    assert roster(database, 1) == [("1", "n1", "1", "501", "delivery")]
    applied(listing("1,"), empties=frozenset({"bib"}))
    assert roster(database, 1) == [("1", "n1", None, "501", "observation")]


def test_a_file_of_all_events_without_a_column_of_events_appends_nobody_who_is_missing(
    applied: Apply, database: str
) -> None:
    look = applied(listing("1,A1", "77,77"), is_of_all=True)
    assert (look.left, look.after.missing, look.after.stale) == ({NotLaid.WITHOUT_EVENT: 1}, 1, 0)
    assert "map a heading to event_id" in NotLaid.WITHOUT_EVENT.value
    assert roster(database, 1, 77) == [("1", "n1", "A1", "501", "observation")]


def test_what_is_not_folded_yet_is_not_written_down_again(applied: Apply) -> None:
    """As between a command that was stopped and the next one, when no worker runs."""
    content = listing("1,A1")
    applied(content, folds=False)
    again = applied(content, folds=False)
    assert (again.fates.total(), again.agrees, [why.name for why in again.tally.reasons]) == (0, True, ["WAITING"])
