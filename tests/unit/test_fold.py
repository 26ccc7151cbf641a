"""The fold: any body gives an outcome; values convert or are named; newer is decided as the contract says."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from ingest.delivery import read_envelope
from ingest.log.event import Event
from projections.outcome import Parked, Passed
from projections.participants.fields import FIELDS
from projections.participants.fold import State, fold, is_newer
from tests import model

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def event(body: bytes | None, position: int = 1) -> Event:
    envelope = read_envelope(body or b"")
    return Event("movemint", position, NOW, envelope.event_type, envelope.subject, body)


def state(**fields: object) -> State:
    folded = fold(event(model.body(1, **fields)))
    assert isinstance(folded, State)
    return folded


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["2026-01-01", "9999-12-31T23:59:59-12:00"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
)


@given(st.dictionaries(st.sampled_from([key.split(".")[0] for field in FIELDS for key in field.keys]), _VALUES))
def test_any_participant_folds_into_a_row_postgres_can_hold(fields: dict[str, object]) -> None:
    body = json.dumps({"type": "event.participant.created", "data": {"object": {**fields, "id": 1}}}).encode(
        "utf-8", "replace"
    )
    folded = fold(event(body))
    if isinstance(folded, State):
        assert set(folded.values) == {field.column for field in FIELDS}
        assert b"\\u0000" not in to_json(folded.attributes)
        for column in folded.errors:
            assert column == "attributes" or folded.values[column] is None
    else:
        assert isinstance(folded, Parked)


@pytest.mark.parametrize(
    ("column", "given_value", "expected"),
    [
        ("bib", 12, "12"), ("bib", "A7", "A7"), ("bib", True, None), ("bib", [1], None), ("bib", "", None),
        ("event_id", 501, "501"), ("event_id", "x" * 256, None), ("event_id", 1.5, None),
        ("age", "34", 34), ("age", 34.0, 34), ("age", 34.5, None), ("age", 2**40, None), ("age", "old", None),
        ("dob", "1990-12-31", date(1990, 12, 31)), ("dob", "1990-12-31T23:30:00-08:00", date(1990, 12, 31)),
        ("dob", "31/12/1990", None), ("dob", "01/02/1990", None), ("dob", 19901231, None), ("dob", "19901231", None),
        ("updated_at", "2026-05-01T10:00:00Z", datetime(2026, 5, 1, 10, tzinfo=UTC)),
        ("updated_at", "2026-05-01T10:00:00+02:00", datetime(2026, 5, 1, 8, tzinfo=UTC)),
        ("updated_at", "2026-05-01 10:00:00", datetime(2026, 5, 1, 10, tzinfo=UTC)),
        ("updated_at", "2026-05-01", datetime(2026, 5, 1, tzinfo=UTC)),
        ("updated_at", "0001-01-01T00:00:00+01:00", None), ("updated_at", 1777629600, None),
    ],
)  # fmt: skip
def test_a_value_converts_or_is_null_and_named(column: str, given_value: object, expected: object) -> None:
    folded = state(**{column: given_value})
    assert folded.values[column] == expected
    assert (column in folded.errors) == (expected is None and given_value != "")
    assert folded.attributes[column] == given_value


def test_a_column_takes_its_own_key_first_then_its_other_names() -> None:
    assert state(gender="f", gender_identity="x").values["gender"] == "f"
    assert state(gender=None, gender_identity="x").values["gender"] == "x"
    assert state(sub_event={"id": 9}).values["sub_event_id"] == "9"
    assert state(created_at="2026-01-01").values["registered_at"] == datetime(2026, 1, 1, tzinfo=UTC)


def test_what_jsonb_cannot_hold_is_replaced_and_named() -> None:
    participant = b'{"id":1,"note":["a\\u0000b"],"n":1e999,"city":"x\\u0000"}'
    body = b'{"type":"event.participant.created","data":{"object":' + participant + b"}}"
    folded = fold(event(body))
    assert isinstance(folded, State)
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

    later = State("1", at, NOW, {"updated_at": moment(a)}, {}, {})
    expected = (a, at) > (b, bt) if a is not None and b is not None else at > bt
    assert is_newer(later, moment(b), bt) == expected
