"""The bounds of what one delivery may cost: whatever is beyond them is left out and named, and nothing else is."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.delivery import DEEPEST_LEVEL, LARGEST_READ, MOST_VALUES, Envelope, read_envelope
from ingest.log.event import Event
from projections.folding.outcome import Parked
from projections.participants.bounds import LONGEST_ANSWER, LONGEST_TEXT, MOST_ANSWERS
from projections.participants.fields import COLUMN_NAMES, DECLARED
from projections.participants.fold import folding
from projections.participants.state import State
from tests import model

fold = folding(DECLARED)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)
PADDING = "x" * LARGEST_READ


def state(body: bytes) -> State:
    envelope = read_envelope(body)
    folded = fold(Event("movemint", 1, str(datetime(2026, 5, 1, tzinfo=UTC)), None, envelope.subject, body))
    assert isinstance(folded, State)
    return folded


def raw(object_: bytes) -> bytes:
    """A body whose participant is these bytes."""
    return b'{"type":"event.participant.created","data":{"object":%b}}' % object_


def nested(levels: int, inner: bytes = b"1") -> bytes:
    """A list in a list and so on, in a participant: the body has this many levels in all."""
    lists = levels - 3
    return raw(b'{"id":1,"city":"Leeds","note":%b}' % (b"[" * lists + inner + b"]" * lists))


@given(_JSON | st.fixed_dictionaries({"id": _JSON, "first_name": _JSON}), st.booleans())
def test_a_body_that_is_read_in_part_gives_the_same_participant_if_it_is_within_the_bounds(
    participant: object,
    ensure_ascii: bool,  # noqa: FBT001
) -> None:
    short = {"type": "event.participant.created", "data": {"object": participant}}
    long = {"padding": PADDING, **short}
    whole, part = (
        read_envelope(json.dumps(document, ensure_ascii=ensure_ascii).encode("utf-8", "surrogatepass"))
        for document in (short, long)
    )
    assert not part.is_plain
    assert part._replace(is_plain=whole.is_plain) == whole


@pytest.mark.parametrize("is_long", [False, True])
@pytest.mark.parametrize(
    ("body", "subject"),
    [
        (b'{"type":"event.participant.created","data":{"object":{"id":7,"note":"\\ud83d"%b}}}', "7"),
        (b'{"type":"event.participant.created","data":{"object":{"id":"\\ud83d","note":1%b}}}', None),
        (b'{"type":"event.participant.created","data":{"object":{"id":"\\ude00","note":1%b}}}', None),
        (
            b'{"type":"event.participant.created","data":{"object":{"id":"\\uD83D\\ude00","n":"\\ud83d\\ud83d"%b}}}',
            "\U0001f600",
        ),
        (b'{"type":"event.participant.created","data":{"object":{"id":"\\\\ud83d","n":"\\\\\\ude00"%b}}}', "\\ud83d"),
        (b'{"type":"event.participant.created","data":{"object":{"id":7,"note":tru%b}}}', None),
        (b'[{"id":7%b}]', None),
        (b'{"type":"event.participant.created","data":[{"id":7%b}]}', None),
        (b'{"type":["event.participant.created"],"data":{"object":{"id":7%b}}}', None),
        (b'{"type":"event.participant.created","\xff":1,"data":{"object":{"id":7,"\xff":1%b}}}', None),
    ],
)
def test_a_body_that_is_read_in_part_names_the_same_problem(body: bytes, subject: str | None, *, is_long: bool) -> None:
    envelope = read_envelope(body % (b',"padding":"%b"' % PADDING.encode() if is_long else b""))
    assert (envelope.subject, envelope.participant) == (subject, None)
    assert envelope.problem == read_envelope(body % b"").problem


def test_the_last_of_duplicate_keys_counts_where_a_body_is_read_in_part() -> None:
    body = (
        b'{"data":5,"type":1,"p":"%b","type":"event.participant.created","data":{"object":[],"object":{"id":1,"id":2}}}'
    )
    assert read_envelope(body % PADDING.encode()).subject == "2"


@pytest.mark.parametrize(
    ("body", "is_kept"),
    [
        (nested(DEEPEST_LEVEL), True),
        (nested(DEEPEST_LEVEL + 1), False),
        (nested(DEEPEST_LEVEL, b"[],{},[]"), False),
        (nested(5, b'"' + b"[" * 1000 + b'"'), True),
        (nested(5, b'"' + b'\\"[' * 1000 + b'"'), True),
        (nested(5, b'"\\\\",' + b"[" * 200 + b"]" * 200), False),
        (nested(5, b"[[],{}]," * 200 + b"1"), True),
        (nested(5, b"[[],{}]," * 200 + b"[" * 95 + b"]" * 95), True),
        (nested(5, b"[[],{}]," * 200 + b"[" * 96 + b"]" * 96), False),
        (nested(99, b"[],{}," * 200 + b"{}"), True),
        (nested(99, b"[],{}," * 200 + b"[[]]"), False),
    ],
    ids=[
        "100 levels",
        "101 levels",
        "101 at the end",
        "in a text",
        "after an escaped quote",
        "after a text",
        "beside",
        "100 behind many",
        "101 behind many",
        "100 for long",
        "101 for long",
    ],
)
def test_depth_is_bounded_and_brackets_in_texts_have_none(body: bytes, *, is_kept: bool) -> None:
    folded = state(body)
    assert dict(zip(COLUMN_NAMES, folded.values, strict=True))["city"] == "Leeds"
    assert ("attributes" in folded.errors) is not is_kept
    if is_kept:
        assert folded.attributes is None, "PostgreSQL reads it from the body"
    else:
        assert folded.attributes == {"id": 1, "city": "Leeds"}


def test_a_body_nested_too_deep_for_any_parser_is_parked() -> None:
    body = nested(501)
    assert state(nested(500)).participant_id == "1"
    folded = fold(Event("movemint", 1, "", None, "1", body))
    assert isinstance(folded, Parked)
    assert folded.reason == "the body is nested deeper than 500 levels"


HOSTILE = {
    "lists": b'"x":[' + b"[]," * 300_000 + b"[]]",
    "objects": b'"x":[' + b'{"a":{}},' * 100_000 + b"1]",
    "numbers": b'"x":[' + b"1," * 450_000 + b"1]",
    "keys": b",".join(b'"k%d":[]' % number for number in range(70_000)),
    "deep": b'"x":[' + (b"[" * 90 + b"]" * 90 + b",") * 5_000 + b"1]",
    "a text": b'"x":"' + b"z " * 450_000 + b'"',
    "a long key": b'"' + b"z " * 450_000 + b'":1',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_the_person_stays_with_all_columns_whatever_else_a_megabyte_holds(content: bytes) -> None:
    folded = state(raw(b'{"id":1,%b,"first_name":"Aiko","event":{"id":9},"shirt":"M"}' % content))
    values = dict(zip(COLUMN_NAMES, folded.values, strict=True))
    assert (folded.participant_id, values["first_name"], values["event_id"]) == ("1", "Aiko", "9")
    assert set(folded.errors) == {"attributes"}
    assert folded.attributes is not None
    assert "x" not in folded.attributes
    assert len(json.dumps(folded.attributes)) <= 1.2 * LARGEST_READ
    assert count_values(folded.attributes) <= MOST_VALUES


def count_values(value: object) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(count_values, value.values()))
    return 1 + sum(map(count_values, value)) if isinstance(value, list) else 1


@pytest.mark.parametrize(
    "content",
    [b"[" + b"1," * MOST_VALUES + b"1]", b"[%b]" % (b"[" * 98 + b"]" * 98), b'"' + b"x" * LARGEST_READ + b'"'],
    ids=["values", "levels", "bytes"],
)
def test_a_columns_value_that_is_left_out_is_named(content: bytes) -> None:
    folded = state(raw(b'{"id":1,"team":%b,"answers":%b,"wave":%b,"wave_name":"2"}' % (content, content, content)))
    assert set(folded.errors) == {"team", "answers", "attributes"}
    assert str(LARGEST_READ) in folded.errors["team"]
    assert dict(zip(COLUMN_NAMES, folded.values, strict=True))["wave"] == "2"


def test_values_count_together_and_one_that_cannot_be_read_is_left_out_alone() -> None:
    text = b'"' + b"x" * 120_000 + b'"'
    folded = state(raw(b'{"id":1,"a":%b,"n":%b,"b":%b,"t":"\xff","c":%b,"d":2}' % (text, b"9" * 5_000, text, text)))
    assert folded.attributes is not None
    assert list(folded.attributes) == ["id", "a", "n", "b", "d"]
    assert folded.attributes["n"] is None
    assert set(folded.errors) == {"attributes"}


def test_a_type_that_is_no_text_is_not_read() -> None:
    type_ = b"[" * 300 + b"1," * 1_000 + b"1" + b"]" * 300
    assert read_envelope(b'{"type":%b,"data":{"object":{}}}' % type_).problem == "the body has no usable type"


def test_everything_at_its_bound_is_kept() -> None:
    answers = [{"question": f"{number} ".ljust(20), "answer": "x"} for number in range(MOST_ANSWERS)]
    answers[0] = {"question": "q" * LONGEST_TEXT, "answer": "é" * LONGEST_ANSWER}
    folded = state(model.body(1, team="é" * LONGEST_TEXT, answers=answers, note=["n"] * 3_000))
    assert folded.errors == {}
    assert folded.attributes is None
    assert len(folded.answers) == MOST_ANSWERS
    assert folded.answers[0] == ("", "q" * LONGEST_TEXT, "é" * LONGEST_ANSWER)


def test_a_text_that_is_too_long_for_its_column_is_left_out_and_named() -> None:
    folded = state(model.body(1, team="x" * (LONGEST_TEXT + 1), city="Leeds"))
    values = dict(zip(COLUMN_NAMES, folded.values, strict=True))
    assert (values["team"], values["city"], set(folded.errors)) == ("", "Leeds", {"team"})
    assert str(LONGEST_TEXT) in folded.errors["team"]


def test_answers_that_are_too_many_or_too_long_are_left_out_and_named() -> None:
    folded = state(model.body(1, answers={str(number): "M" for number in range(MOST_ANSWERS + 1)}))
    assert [answer.question for answer in folded.answers] == [str(number) for number in range(MOST_ANSWERS)]
    assert str(MOST_ANSWERS) in folded.errors["answers"]
    rows = [*({"question": str(number), "answer": "M"} for number in range(MOST_ANSWERS + 1)), None]
    named = state(model.body(1, answers=rows)).errors["answers"]
    assert named.startswith(f"row {MOST_ANSWERS + 2}: not an object; more than {MOST_ANSWERS} answers"), "both"
    long = state(model.body(1, answers={"41": "x" * (LONGEST_ANSWER + 1), "q" * (LONGEST_TEXT + 1): "M"}))
    assert long.answers == [("41", "41", ""), ("", "q" * LONGEST_TEXT, "M")]
    assert str(LONGEST_ANSWER) in long.errors["answers"]


def test_only_a_body_beyond_a_megabyte_can_have_too_many_values_to_be_skimmed() -> None:
    dense = raw(b'{"id":1,"x":[%b1],"photo":"%b"}' % (b"1," * 131_072, b"QUJD" * 200_000))
    assert read_envelope(dense).problem == "the body has more than 131072 values, too many for its size"
    assert read_envelope(dense.replace(b"QUJD", b"QU")).participant == {"id": 1}
    broken = raw(b'{"id":1,"x":"%b"}' % (b"\\ud83d" * 200_000))
    assert read_envelope(broken) == Envelope(problem="the body is not JSON")
    assert read_envelope(broken.replace(b"\\ud83d" * 100_000, b"")).subject == "1"
    photo = raw(b'{"id":1,"photo":"%b"}' % (b"QUJD" * 600_000))
    assert read_envelope(photo).participant == {"id": 1}


@pytest.mark.parametrize(
    ("object_", "subject"),
    [
        (b'{"id":12345,"x":%b}', "12345"),
        (b'{"name":"A, B","id":"a,b","x":%b}', "a,b"),
        (b'{"event":{"id":7},"id":8,"x":%b}', "8"),
        (b'{"event":{"id":7},"x":%b,"id":8}', None),
        (b'{"event":{"id":7,"x":%b},"id":8}', None),
        (b'{"note":"' + b"n," * 500 + b'","id":8,"x":%b}', None),
        (b'{"id":true,"x":%b}', None),
        (b'{"id":"\xff","x":%b}', None),
    ],
)
@pytest.mark.parametrize("too_much", [b"[" * 501 + b"]" * 501, b"[" + b"10," * 400_000 + b"1]"], ids=["deep", "many"])
def test_a_body_that_is_not_read_is_of_the_participant_that_it_begins_with(
    object_: bytes, subject: str | None, too_much: bytes
) -> None:
    envelope = read_envelope(raw(object_ % too_much))
    assert (envelope.event_type, envelope.subject, envelope.participant) == (None, subject, None)
    other = b'{"type":"invoice.paid","data":{"object":%b}}' % (object_ % too_much)
    assert read_envelope(other) == Envelope(problem=envelope.problem)


def test_an_id_is_never_cut_in_two() -> None:
    found = set()
    for length in range(900, 1_000):
        body = raw(b'{"note":"%b","id":1234567,"x":%b}' % (b"n" * length, b"[" * 501 + b"]" * 501))
        found.add(read_envelope(body).subject)
    assert found == {"1234567", None}
