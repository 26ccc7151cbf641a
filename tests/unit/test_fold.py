"""The fold: any body gives an outcome; values convert or are named; newer is decided as the contract says."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from projections.folding.outcome import Parked, Passed
from projections.participants.fields import COLUMN_NAMES, DECLARED
from projections.participants.fold import folding
from projections.participants.newest import Known, is_newer
from projections.participants.state import State
from projections.registrations import fold as registrations
from tests import model
from tests.folded import event, fold, state

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def values(folded: State) -> dict[str, str]:
    """Each column's value as PostgreSQL reads it; empty for null."""
    return dict(zip(COLUMN_NAMES, folded.values, strict=True))


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["2026-01-01", "9999-12-31T23:59:59-12:00"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
)


@given(
    st.dictionaries(st.sampled_from([key.split(".")[0] for field in DECLARED.columns for key in field.keys]), _VALUES)
)
def test_any_participant_folds_into_a_row_postgres_can_hold(fields: dict[str, object]) -> None:
    body = json.dumps({"type": "event.participant.created", "data": {"object": {**fields, "id": 1}}}).encode(
        "utf-8", "replace"
    )
    folded = fold(event(body))
    if isinstance(folded, State):
        assert len(folded.values) == len(COLUMN_NAMES)
        assert b"\\u0000" not in to_json((folded.values, folded.attributes, folded.answers))
        for column in set(folded.errors) - {"attributes", "answers"}:
            assert values(folded)[column] == ""
    else:
        assert isinstance(folded, Parked)


count, count_by_roster = registrations.folding(DECLARED), registrations.folding(DECLARED, fold)


@given(
    st.dictionaries(st.sampled_from([key.split(".")[0] for field in DECLARED.columns for key in field.keys]), _VALUES),
    st.sampled_from(["", "x" * 20_000, "\x00"]),
)
def test_registrations_read_their_columns_alone_as_the_roster_reads_them(fields: dict[str, object], more: str) -> None:
    """Whatever else there is: large, or none that PostgreSQL can hold."""
    participant = {**fields, "id": 1, "note": more}
    body = json.dumps({"type": "event.participant.created", "data": {"object": participant}}).encode("utf-8", "replace")
    assert count(event(body)) == count_by_roster(event(body))


@pytest.mark.parametrize(
    ("column", "given_value", "expected"),
    [
        ("bib", 12, "12"), ("bib", 12.0, "12"), ("bib", 15.5, "15.5"), ("bib", "A7", "A7"),
            ("bib", True, ""), ("bib", [1], ""), ("bib", "", ""),
        ("event_id", 501, "501"), ("event_id", "x" * 256, ""), ("event_id", 1.5, ""),
            ("event_id", 501.0, "501"),
        ("age", "34", "34"), ("age", 34.0, "34"), ("age", 34.5, ""), ("age", 2**40, ""), ("age", "old", ""),
        ("age", " 34\x1f\u2028", "34"), ("age", "٣٤", ""), ("age", "1" * 21, ""),
        ("dob", "1990-12-31", "1990-12-31"), ("dob", "1990-12-31T23:30:00-08:00", ""),
            ("dob", "1990-05-14T00:00:00", "1990-05-14"), ("dob", "1990-05-14T00:00:00.000Z", "1990-05-14"),
            ("dob", "1990-12-31000", ""), ("dob", "1990-12-31500:00", ""), ("dob", "1990-12-31é00:00", ""),
            ("dob", "1990-12-31_00:00", ""), ("dob", "1990-12-31t00:00", "1990-12-31"),
            ("dob", "1990-05-14T22:00:00.000Z", ""), ("dob", "1990-05-14T00:00:00+02:00", ""), ("dob", 0, ""),
            ("dob", "0001-01-01", ""), ("dob", "9999-12-31", ""), ("dob", "9999-12-31T00:00:00Z", ""),
            ("dob", "1970-01-01T00:00:00.000Z", ""), ("dob", "1970-01-01", "1970-01-01"),
            ("dob", "1970-01-01 00:00:00", ""), ("dob", "1970-01-01T00:00", ""), ("dob", "1970-01-01T00Z", ""),
            ("event_id", "1.5", "1.5"), ("event_id", "1e1", "1e1"), ("event_id", 1e22, "1" + "0" * 22),
        ("dob", "31/12/1990", ""), ("dob", "01/02/1990", ""), ("dob", 19901231, ""), ("dob", "19901231", ""),
        ("updated_at", "2026-05-01T10:00:00Z", "2026-05-01T10:00:00Z"),
        ("updated_at", "2026-05-01T10:00:00+02:00", "2026-05-01T08:00:00+00:00"),
        ("updated_at", "2026-05-01 10:00:00", "2026-05-01T10:00:00+00:00"),
        ("updated_at", "2026-05-01T100000.5Z", "2026-05-01T10:00:00.500000+00:00"),
        ("updated_at", "2026-05-01", "2026-05-01T00:00Z"), ("updated_at", "2026-05-01510:00", ""),
        ("updated_at", "2026-05-01T24:00:00Z", ""), ("dob", "2026-05-01T24:00:00Z", ""),
        ("updated_at", "0001-01-01T00:00:00+01:00", ""), ("updated_at", "9999-12-31T23:59:59Z", ""),
            ("registered_at", "0001-01-01T00:00:00", ""), ("updated_at", 1777629600, ""),
    ],
)  # fmt: skip
def test_a_value_converts_or_is_null_and_named(column: str, given_value: object, expected: str) -> None:
    folded = state(**{column: given_value})
    assert values(folded)[column] == expected
    assert (column in folded.errors) == (expected == "" and given_value != "")


def test_a_column_takes_its_own_key_first_then_its_other_names() -> None:
    assert values(state(gender="f", gender_identity="x"))["gender"] == "f"
    assert values(state(gender=None, gender_identity="x"))["gender"] == "x"
    assert values(state(sub_event={"id": 9}))["sub_event_id"] == "9"
    assert values(state(created_at="2026-01-01"))["registered_at"] == "2026-01-01T00:00Z"


def test_a_key_whose_value_does_not_convert_leaves_the_column_to_the_next_one() -> None:
    folded = state(team={"name": "Owls"}, wave={"name": []}, dob="31/12/1990", birth_date="1990-12-31", age="x")
    assert (values(folded)["team"], values(folded)["dob"]) == ("Owls", "1990-12-31")
    assert (values(folded)["wave"], values(folded)["age"]) == ("", "")
    assert set(folded.errors) == {"wave", "age"}


@pytest.mark.parametrize(
    ("fields", "columns", "named"),
    [
        ({"gender": {"id": 2, "name": "F"}}, {"gender": "F"}, {}),
        ({"status": {"id": 2, "name": "confirmed"}}, {"status": "confirmed"}, {}),
        ({"country": {"code": "GB"}}, {"country": "GB"}, {}),
        ({"country": {"code": "GB", "name": "Great Britain"}}, {"country": "Great Britain"}, {}),
        ({"event": {"id": 501, "title": "Run"}, "sub_event": {"title": "10 km"}},
         {"event_id": "501", "event_name": "Run", "sub_event_name": "10 km", "sub_event_id": ""}, {}),
        ({"gender": {"id": 2}}, {"gender": ""}, {"gender": "not a text"}),
        ({"event": 501}, {"event_id": "", "event_name": ""}, dict.fromkeys(("event_id", "event_name"), "event")),
        ({"event": [{"id": 501}]}, {"event_id": ""}, dict.fromkeys(("event_id", "event_name"), "event")),
        ({"sub_event": "Marathon", "sub_event_id": 7}, {"sub_event_id": "7"}, {"sub_event_name": "sub_event"}),
        ({"athlete": "A7", "address": "12 High Street", "event": "", "sub_event": None}, {}, {"athlete_id": "athlete"}),
        ({"address": [{"city": "Omsk"}], "state": "OR"}, {"city": ""},
         dict.fromkeys(("city", "country", "zip_code"), "address")),
        ({"athlete": [], "address": [{}, [], None], "event": []}, {}, {}),
    ],
)  # fmt: skip
def test_an_object_is_read_by_its_name_and_what_is_none_is_named(
    fields: dict[str, object], columns: dict[str, str], named: dict[str, str]
) -> None:
    folded = state(**fields)
    assert {column: values(folded)[column] for column in columns} == columns
    assert folded.errors == {
        column: said if " " in said else f"not read: {said} is not an object" for column, said in named.items()
    }


def test_a_key_that_a_file_gives_to_one_column_need_not_be_an_object_for_another() -> None:
    columns = tuple(
        replace(field, keys=("event",)) if field.column == "event_id" else field for field in DECLARED.columns
    )
    participant = b'{"type":"event.participant.created","data":{"object":{"id":1,"event":501}}}'
    folded = folding(replace(DECLARED, columns=columns))(event(participant))
    assert isinstance(folded, State)
    assert (values(folded)["event_id"], values(folded)["event_name"], folded.errors) == ("501", "", {})


def raw(inner: bytes, id_: bytes = b"1") -> State:
    folded = fold(event(b'{"type":"event.participant.created","data":{"object":{"id":%b,%b}}}' % (id_, inner)))
    assert isinstance(folded, State)
    return folded


@pytest.mark.parametrize(("id_", "expected"), [(b"1e1", "10"), (b"1E1", "10"), (b"10.0", "10"), (b"-0.0", "0")])
def test_a_person_is_one_however_the_id_is_written(id_: bytes, expected: str) -> None:
    folded = raw(b'"bib":1e1', id_)
    assert (folded.participant_id, values(folded)["bib"]) == (expected, "1e1")


def test_a_number_of_any_length_keeps_its_digits_or_is_named_and_parks_nobody() -> None:
    long, longer = b"0." + b"3" * 400, b"0." + b"3" * 10_000
    folded = raw(b'"bib":%b,"zip_code":%b,"n":%b,"answers":{"7":%b}' % (long, longer, longer, long))
    assert (values(folded)["bib"], values(folded)["zip_code"]) == (long.decode(), "")
    assert [answer.answer for answer in folded.answers] == [long.decode()]
    assert folded.attributes is not None
    assert (folded.attributes["n"], folded.attributes["zip_code"]) == (None, None)
    assert set(folded.errors) == {"zip_code", "attributes"}
    digits = b"9" * 5_000
    folded = raw(b'"city":"Leeds","bib":%b,"age":%b,"event_id":%b,"answers":{"7":%b}' % ((digits,) * 4))
    assert (values(folded)["city"], values(folded)["bib"]) == ("Leeds", "")
    assert set(folded.errors) == {"bib", "age", "event_id", "attributes"}
    assert [answer.answer for answer in folded.answers] == [digits.decode()]


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        (b"1e40", 1e40),
        (b"-1.5e-40", -1.5e-40),
        (b"1e41", None),
        (b"1e-41", None),
        (b"-1e999", None),
        (b"1e-99999", None),
    ],
)
def test_a_number_that_jsonb_would_write_with_many_digits_is_replaced_and_named(
    number: bytes, kept: float | None
) -> None:
    body = b'{"type":"event.participant.created","data":{"object":{"id":1,"n":{"m":[%b]}}}}' % number
    folded = fold(event(body))
    assert isinstance(folded, State)
    assert folded.attributes == {"id": 1, "n": {"m": [kept]}}
    assert ("attributes" in folded.errors) == (kept is None)


def test_what_jsonb_cannot_hold_is_replaced_and_named() -> None:
    participant = b'{"id":1,"note":["a\\u0000b"],"n":1e999,"city":"x\\u0000"}'
    body = b'{"type":"event.participant.created","data":{"object":' + participant + b"}}"
    folded = fold(event(body))
    assert isinstance(folded, State)
    assert folded.attributes is not None
    assert folded.attributes["note"] == ["a\ufffdb"]
    assert folded.attributes["n"] is None
    assert set(folded.errors) == {"attributes", "city"}


def test_an_unknown_type_is_passed_and_an_erased_event_too() -> None:
    assert fold(event(b'{"type":"invoice.paid","data":{"object":{"id":1}}}')) == Passed(1, "invoice.paid")
    assert fold(event(None)) == Passed(1, None)


@pytest.mark.parametrize("id_", [None, 1.5, "", True, [], {}])
def test_a_participant_without_an_id_is_parked(id_: object) -> None:
    assert isinstance(fold(event(model.body(id_))), Parked)


@given(st.none() | st.integers(0, 3), st.integers(1, 4), st.none() | st.integers(0, 3), st.integers(1, 4))
def test_newer_is_by_updated_at_if_both_have_it_then_by_position(
    a: int | None, at: int, b: int | None, bt: int
) -> None:
    def moment(seconds: int | None) -> datetime | None:
        return None if seconds is None else NOW + timedelta(seconds=seconds)

    later = state(updated_at=None if a is None else str(moment(a)))._replace(position=at)
    expected = (a, at) > (b, bt) if a is not None and b is not None else at > bt
    assert is_newer(later, Known(1, bt, moment(b))) == expected


def test_promise_7_an_event_that_the_log_has_under_another_id_is_parked_since_nobody_could_erase_it() -> None:
    for subject in (None, "2"):
        folded = fold(event(model.body(1))._replace(subject=subject))
        assert isinstance(folded, Parked)
        assert folded.participant_id == subject
