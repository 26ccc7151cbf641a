"""Observed values laid over an object: the fold reads them, and all else as before."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.delivery import has_room
from ingest.exact_json import WrittenNumber, read_json, write_json
from ingest.log.event import Event
from ingest.time_zone import time_zone
from projections.folding.calendar import Calendar, RaceDates
from projections.participants.fields import COLUMN_NAMES, DECLARED, Fields, read_fields
from projections.participants.fold import REGISTERED, folding
from projections.participants.overlay import Overlay, object_in, unopened_object_in
from projections.participants.state import State
from tests import model

WHOLE = {
    "id": 7, "team": {"id": 3, "name": "Night Owls"}, "bib": None, "bib_number": "012", "dob": "01/02/1990",
    "age": 15.10, "event": {"id": 501}, "address": {"city": "Leeds", "zip": "LS1"}, "created_at": "2026-05-01",
    "answers": [{"question": "Meal", "answer": "None"}], "big": 123456789012345678901234567890,
}  # fmt: skip


def state_of(participant: dict[str, object], fields: Fields = DECLARED) -> State:
    body = model.body(0, **{key: value for key, value in participant.items() if key != "id"})
    folded = folding(fields)(Event("movemint", 1, "2026-05-03 10:00:00+00", REGISTERED, "0", body))
    assert isinstance(folded, State)
    return folded


def row(state: State) -> dict[str, str]:
    return dict(zip(COLUMN_NAMES, state.values, strict=True))


@pytest.mark.parametrize(
    ("observed", "changed"),
    [
        ({"bib": "7"}, {"bib_number": "7"}),
        ({"team": "Owls"}, {"team": {"id": 3, "name": "Owls"}}),
        ({"dob": "1990-02-01"}, {"dob": "1990-02-01"}),
        ({"registered_at": "2026-05-02T10:00:00Z"}, {"created_at": "2026-05-02T10:00:00Z"}),
        ({"registered_at": "2026-05-02T00:00Z"}, {"created_at": "2026-05-02"}),
        ({"city": "York", "wave": "B"}, {"address": {"city": "York", "zip": "LS1"}, "wave": "B"}),
        ({"zip_code": "YO1"}, {"address": {"city": "Leeds", "zip": "LS1", "zip_code": "YO1"}}),
        ({"event_name": "Race", "age": "44"}, {"event": {"id": 501, "name": "Race"}, "age": 44}),
        ({"bib": None, "dob": None}, {"bib_number": None, "dob": None}),
        ({"age": "-3"}, {"age": -3}),
        ({}, {}),
    ],
)
def test_a_value_stands_at_the_key_that_feeds_its_column(
    observed: dict[str, str | None], changed: dict[str, object]
) -> None:
    laid = Overlay(DECLARED).laid_over(WHOLE, observed)
    assert laid == {**WHOLE, **changed}
    assert row(state_of(laid)) == {**row(state_of(WHOLE)), **{name: value or "" for name, value in observed.items()}}
    assert WHOLE["bib_number"] == "012", "the object that was given is as it was"


def test_the_keys_are_those_of_the_users_file(tmp_path: Path) -> None:
    path = tmp_path / "fields.toml"
    path.write_text('bib = "race.0.number"\nteam = ["club", "team"]\nwave = "club"\n', encoding="utf-8")
    fields = read_fields(path)
    overlay = Overlay(fields)
    raced = {"id": 1, "race": [{"number": "3", "x": 1}], "club": "Owls"}
    assert overlay.laid_over(raced, {"bib": "9"}) == {**raced, "race": [{"number": "9", "x": 1}]}
    # Both columns are read from one key: another key of the team's would lose to it.
    assert overlay.laid_over(raced, {"team": "Harriers"}) is None
    assert overlay.laid_over({"id": 1, "team": "A"}, {"team": "B"}) == {"id": 1, "team": "B"}
    # None of its keys has a value, and the most fitting one is the other column's, too.
    assert overlay.laid_over({"id": 1}, {"team": "B"}) == {"id": 1, "team": "B"}


@pytest.mark.parametrize("value", ["x" * 10_001, "a\x00b"])
def test_a_value_that_the_fold_would_not_read_is_not_laid(value: str) -> None:
    assert Overlay(DECLARED).laid_over(WHOLE, {"team": value}) is None


_VALUES: dict[str, st.SearchStrategy[object]] = {
    "bib": st.none() | st.integers(0, 99) | st.text("0A", max_size=3),
    "bib_number": st.none() | st.text("1B", min_size=1, max_size=3),
    "team": st.none() | st.just("T") | st.fixed_dictionaries({"id": st.just(1)}, optional={"name": st.just("Y")}),
    "team_name": st.none() | st.just("Z"),
    "wave": st.none() | st.just({"name": {"en": "A"}}) | st.just(["A"]),
    "event": st.none() | st.just(501) | st.just({"id": 501}) | st.just({"name": "Race"}),
    "dob": st.none() | st.just("01/02/1990") | st.just("1990-12-31"),
    "birth_date": st.none() | st.just("1991-12-31"),
    "age": st.none() | st.just("old") | st.just(30),
    "created_at": st.none() | st.just("2026-05-01") | st.just("2026-05-01T10:00:00+02:00"),
}
_SEEN = {
    "bib": st.none() | st.just("77"),
    "team": st.none() | st.just("Owls"),
    "wave": st.none() | st.just("B"),
    "event_id": st.just("502"),
    "event_name": st.none() | st.just("Run"),
    "dob": st.none() | st.just("1989-01-31"),
    "age": st.none() | st.just("31"),
    "registered_at": st.none() | st.just("2026-05-02T10:00:00Z") | st.just("2026-05-02T00:00Z"),
}


@given(participant=st.fixed_dictionaries({}, optional=_VALUES), observed=st.fixed_dictionaries({}, optional=_SEEN))
def test_folding_the_new_object_gives_what_was_observed_and_all_else_as_before(
    participant: dict[str, object], observed: dict[str, str | None]
) -> None:
    laid = Overlay(DECLARED).laid_over({"id": 1, **participant}, observed)
    if laid is None:  # the race is known by its number alone: there is no place for its name beside it, nor the reverse
        assert participant.get("event") == 501
        return
    before, after = state_of(participant), state_of(laid)
    assert row(after) == {**row(before), **{name: value or "" for name, value in observed.items()}}
    assert {name for name in after.errors if name not in observed} == {
        name for name in before.errors if name not in observed
    }
    assert participant.keys() <= laid.keys()


_IN_DENVER = replace(DECLARED, calendar=Calendar(races=(RaceDates("502", time_zone("America/Denver")),)))


@given(
    participant=st.fixed_dictionaries({}, optional=_VALUES),
    observed=st.fixed_dictionaries({}, optional=_SEEN),
    fields=st.sampled_from([DECLARED, _IN_DENVER]),
)
def test_asking_about_what_is_concerned_is_asking_about_all(
    participant: dict[str, object], observed: dict[str, str | None], fields: Fields
) -> None:
    overlay, whole = Overlay(fields), {"id": 1, **participant}
    assert overlay.laid_over(whole, observed, has_room=True) == overlay.laid_over(whole, observed)


def test_a_key_that_answers_are_read_from_is_asked_about_with_them(tmp_path: Path) -> None:
    path = tmp_path / "fields.toml"
    path.write_text('wave = "answers.0.answer"\n', encoding="utf-8")
    overlay, whole = Overlay(read_fields(path)), {"id": 1, "answers": [{"question": "Wave", "answer": "A"}]}
    for room in (False, True):
        assert overlay.laid_over(whole, {"wave": "B"}, has_room=room) is None, "it would be another answer"


def test_a_key_of_two_columns_is_asked_about_with_all_keys_of_both(tmp_path: Path) -> None:
    path = tmp_path / "fields.toml"
    path.write_text('team = ["team", "club"]\nwave = "club"\n', encoding="utf-8")
    overlay, whole = Overlay(read_fields(path)), {"id": 1, "team": "Owls"}
    for room in (False, True):
        assert overlay.laid_over(whole, {"wave": "B"}, has_room=room) == {**whole, "club": "B"}


def test_what_postgresql_cannot_store_is_judged_by_the_whole() -> None:
    body = b'{"type": "x", "data": {"object": {"id": 1, "city": "A\\u0000", "note": "B\\u0000"}}}'
    assert not has_room(body)
    assert has_room(body.replace(b"\\u0000", b""))
    overlay = Overlay(DECLARED)
    whole: dict[str, object] = {"id": 1, "x": WrittenNumber("1" + "0" * 44 + ".5")}
    for room in (False, True):
        assert overlay.laid_over(whole, {"city": r"\u0000"}, has_room=room) is None


def test_a_body_that_gets_longer_than_it_has_room_for_is_asked_about_as_a_whole() -> None:
    whole = {"id": 1, **{f"more_{number}": "x" * 9_999 for number in range(26)}}
    for room in (False, True):
        assert Overlay(DECLARED).laid_over(whole, {"city": "y" * 9_000}, has_room=room) is None


def test_the_whole_object_of_a_body_is_read_with_its_numbers() -> None:
    body = b'{"type": "x", "data": {"object": {"id": 7, "age": 15.10, "big": 123456789012345678901234567890}}}'
    whole = object_in(body)
    assert whole is not None
    assert whole["big"] == 123456789012345678901234567890
    assert Overlay(DECLARED).laid_over(whole, {"bib": "3"}) == {**whole, "bib": "3"}
    for other in (b"", b"[]", b'{"data": 1}', b'{"data": {"object": 1}}', json.dumps({"type": "x"}).encode()):
        assert object_in(other) is None


def test_an_object_that_is_not_opened_gets_values_as_one_that_is() -> None:
    """Its numbers stay as they came, and half a letter hides nothing."""
    whole = rb"""{"id": 7, "age": 15.10, "city": "Z\u00fcrich", "team": {"name": "A", "size": 4}, "more": [1.50]}"""
    body = b'{"type": "x", "data": {"object": %b}}' % whole
    for observed in ({"bib": "3"}, {"team": "T" * 2_000}, {"city": None, "age": "16"}, {"team": r"a\b"}):
        opened, unopened = (
            Overlay(DECLARED).laid_over(whole, observed, has_room=True)
            for whole in (object_in(body) or {}, unopened_object_in(body) or {})
        )
        assert opened is not None
        assert read_json(write_json(unopened)) == read_json(write_json(opened))
        assert b"1.50" in write_json(unopened)
    for other in (
        b"",
        b"[]",
        b'{"data": 1}',
        rb'{"data": {"object": {"id": "\ud800"}}}',
        b'{"data": {"object": {"id": "\xff"}}}',
    ):
        assert unopened_object_in(other) is None


def test_what_cannot_be_kept_beside_a_value_is_named_as_before() -> None:
    """A number that is left out of `attributes`, in the object in which the value stands."""
    whole = object_in(b'{"data": {"object": {"id": 7, "team": {"name": "Old", "rating": 1e300}}}}')
    assert whole is not None
    assert "attributes" in state_of({"team": {"name": "Old", "rating": 1e300}}).errors
    for room in (False, True):
        laid = Overlay(DECLARED).laid_over(whole, {"team": "New"}, has_room=room)
        assert laid is not None
        assert laid["team"] == {**whole["team"], "name": "New"}  # type: ignore[dict-item]
