"""The envelope parser is total: any bytes give an envelope, and what it names can be stored and indexed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from ingest.delivery import LONGEST_NAME, identifier, read_envelope
from ingest.exact_json import WrittenNumber, write_json

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)
_ENVELOPES = st.fixed_dictionaries(
    {"type": _JSON | st.just("event.participant.created"), "data": _JSON | st.fixed_dictionaries({"object": _JSON})}
)


@given(st.binary() | (_JSON | _ENVELOPES).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
def test_any_bytes_give_an_envelope(body: bytes) -> None:
    envelope = read_envelope(body)
    for name in (envelope.event_type, envelope.subject):
        if name is not None:
            assert 0 < len(name) <= LONGEST_NAME
            assert "\x00" not in name
            name.encode("utf-8")
    assert (envelope.participant is None) == (envelope.problem is not None)


HOSTILE = {
    "empty": b"",
    "not JSON": b"hello",
    "not UTF-8": b'{"type": "\xff"}',
    "UTF-16": '{"type": "x"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"type": "x"}',
    "lone surrogate": b'{"type": "\\ud800"}',
    "NaN": b'{"type": NaN}',
    "100,000 nested arrays": b"[" * 100_000 + b"]" * 100_000,
    "no type": b'{"data": {"object": {"id": 1}}}',
    "type a number": b'{"type": 1, "data": {"object": {"id": 1}}}',
    "data a list": b'{"type": "event.participant.created", "data": []}',
    "object null": b'{"type": "event.participant.created", "data": {"object": null}}',
    "a list": b"[]",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_no_envelope_names_its_problem(body: bytes) -> None:
    envelope = read_envelope(body)
    assert envelope.problem
    assert envelope.subject is None
    assert envelope.participant is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, "12"), ("12", "12"), (-5, "-5"), (0, "0"), ("x y", "x y"), (2**70, str(2**70)),
        (None, None), (True, None), (1.5, None), ("", None), ("a\x00b", None), ([], None), ({}, None),
        (WrittenNumber("12345678901234567890.5"), None),
        (WrittenNumber("12345678901234567890.0"), "12345678901234567890"),
        (WrittenNumber("1e1"), "10"), (WrittenNumber("1E1"), "10"), (WrittenNumber("-0.0"), "0"), (-0.0, "0"),
        (WrittenNumber("1.5e1"), "15"), (WrittenNumber("100e-1"), "10"), (WrittenNumber("-2.0"), "-2"),
        (WrittenNumber("1e254"), "1" + "0" * 254), (WrittenNumber("1e255"), None), (WrittenNumber("1e-400"), None),
        (WrittenNumber("0e99999999999999999999"), "0"), (WrittenNumber("-0.0E-99999999999999999999"), "0"),
        (WrittenNumber("1e-99999999999999999999"), None), (WrittenNumber("1.0e99999999999999999999"), None),
        (1e23, "1" + "0" * 23), (WrittenNumber("1e+23"), "1" + "0" * 23), (WrittenNumber("1.0e+23"), "1" + "0" * 23),
        (WrittenNumber("1." + "0" * 250_000), None), (WrittenNumber("0e999999999"), "0"),
        (WrittenNumber("1e999999999"), None), ("1e1", "1e1"), ("-0", "-0"),
        ("x" * 255, "x" * 255), ("x" * 256, None), (10**255, None), (10**254, "1" + "0" * 254),
    ],
)  # fmt: skip
def test_an_id_is_an_integer_or_a_short_text(value: object, expected: str | None) -> None:
    assert identifier(value) == expected


@pytest.mark.parametrize("broken", [b'"\\ud83d"', b"NaN", b'"\\ud83d","n":' + b"9" * 5000])
def test_a_value_that_cannot_be_stored_does_not_hide_whose_event_it_is(broken: bytes) -> None:
    body = b'{"type":"event.participant.created","data":{"object":{"id":77,"first_name":' + broken + b"}}}"
    envelope = read_envelope(body)
    assert (envelope.event_type, envelope.subject, envelope.participant) == ("event.participant.created", "77", None)
    assert envelope.problem


@pytest.mark.parametrize("is_long", [False, True])
def test_an_integer_of_5000_digits_hides_nothing(*, is_long: bool) -> None:
    digits = b"9" * 5_000
    body = b'{"p":"%b","type":"event.participant.created","data":{"object":{"id":77,"n":[%b],"x":-%b,"f":1.50}}}'
    envelope = read_envelope(body % (b"x" * 300_000 if is_long else b"", digits, digits))
    assert (envelope.subject, envelope.problem, envelope.is_plain, envelope.left_out) == ("77", None, False, None)
    assert envelope.participant is not None
    assert write_json(envelope.participant) == b'{"id":77,"n":[%b],"x":-%b,"f":1.50}' % (digits, digits)
    assert read_envelope(body.replace(b"77", digits) % (b"", b"1", b"1")).subject is None


def test_a_salvaged_subject_is_the_one_that_a_readable_body_has() -> None:
    for id_ in (b"-0", b"007", b"9" * 255, b"-" + b"9" * 255, b"9" * 256, b"1.0", b'"x"', b"true"):
        readable, broken = (
            read_envelope(b'{"type":"event.participant.created","data":{"object":{"id":%b,"n":%b}}}' % (id_, value))
            for value in (b"1", b'"\\ud83d"')
        )
        assert broken.subject == readable.subject, id_


def test_the_last_of_duplicate_keys_counts() -> None:
    assert read_envelope(b'{"type":"event.participant.created","data":{"object":{"id":1,"id":2}}}').subject == "2"


def test_the_object_of_another_type_is_no_participant() -> None:
    assert read_envelope(b'{"type": "invoice.paid", "data": {"object": {"id": 7}}}').subject is None


@given(_JSON, st.booleans())
def test_the_quick_reading_and_the_careful_one_read_the_same(participant: object, ensure_ascii: bool) -> None:  # noqa: FBT001
    document = {"type": "event.participant.created", "data": {"object": participant}}
    body = json.dumps(document, ensure_ascii=ensure_ascii).encode("utf-8", "surrogatepass")
    envelope = read_envelope(body)
    if envelope.is_plain:
        assert json.dumps(envelope.participant) == json.dumps(from_json(body)["data"]["object"])


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        ("1.5", True), ("12345678901234567890123", True), ('"a\\nb"', True), ("1e5", False), ("1E999", False),
        ("1e-400", False),
        ("0." + "0" * 400 + "1", False), ('"\\u0000"', False), ("[" * 210 + "]" * 210, False),
        (", ".join(["[]"] * 210).join("[]"), True),
    ],
)  # fmt: skip
def test_plain_is_only_what_postgresql_reads_in_the_same_way(text: str, is_plain: bool) -> None:  # noqa: FBT001
    body = b'{"type": "event.participant.created", "data": {"object": {"id": 1, "x": %b}}}' % text.encode()
    envelope = read_envelope(body)
    assert envelope.is_plain is is_plain
    assert envelope.problem is None
