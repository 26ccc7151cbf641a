"""Reads the envelope of a delivery: its type, and the participant it is about. Pure and total; it folds nothing.

A body beyond the bounds below is read in part, so that no body costs more than a little work. The bounds are bytes,
values and levels, never time: every machine reads the same from a body.
"""

import json
from array import array
from collections.abc import Collection, Mapping
from contextlib import suppress
from decimal import Decimal
from itertools import accumulate, chain, islice
from typing import NamedTuple

import msgspec
from pydantic_core import from_json

from ingest.exact_json import HALF_A_PAIR, WrittenNumber, read_json, read_plain

LARGEST_READ = 262_144  # bytes of the participant's keys and values
MOST_VALUES = 10_000  # of the participant: commas and opening brackets, wherever they stand
DEEPEST_LEVEL = 100  # of lists and objects in each other; the envelope is three of them
_DEEPEST_VALUE = DEEPEST_LEVEL - 3
_ALWAYS_READ = 2 * MOST_VALUES  # bytes: a value and its comma are two
_BEGINNING = 1_024  # bytes of a body that is not read, in which the participant's id is looked for
_DEEPEST_BODY = 500  # levels; parsers recurse, and Python's limit is 1000 calls
_LARGEST_DENSE = 1_048_576  # bytes of a body that may have any number of values
_MOST_IN_LARGER = 131_072  # commas and opening brackets of a larger body
LONGEST_NAME = 255  # characters. Types and ids are indexed, and PostgreSQL limits an index row to 2704 bytes.
PARTICIPANT_TYPES = "event.participant."
_USUAL_TYPE = "event.participant.created"  # the one that Movemint publishes; it needs no check
_LONGEST_WHOLE = 1_000  # characters of an id before its exponent
_LONGEST_POWER = 5  # characters of an exponent: what is whole and has more is 0, or far too long
_LARGEST_ID = 10**LONGEST_NAME
_new = tuple.__new__  # of an `Envelope`, in half of the time that its constructor takes
USUAL_ID = 2**63  # non-negative integers below it need no `identifier`, which is slower
_LONGEST_TYPE = 2_000  # bytes

_NOT_JSON = "the body is not JSON"
_NOT_STORABLE = "the body is not JSON that can be stored"

JsonObject = dict[str, object]


class Envelope(NamedTuple):
    """What a body says about itself. `problem` is why it could not be read further; what was not read is None.

    `is_plain`: PostgreSQL reads the same document from these bytes as `jsonb`. `left_out`: None unless `participant`
    lacks keys that are beyond the bounds; then the wanted ones of them. (A tuple, as one is made per event.)
    """

    event_type: str | None = None
    subject: str | None = None
    participant: JsonObject | None = None
    problem: str | None = None
    is_plain: bool = False
    left_out: Collection[str] | None = None


def read_envelope(body: bytes, wanted: Collection[str] = ()) -> Envelope:
    """The envelope `{"type": ..., "data": {"object": {...}}}`, the only shape Movemint publishes.

    A body of any other shape gives an envelope with a problem, never an error: every signed body is kept.
    `wanted`: the participant's keys that are read first where not all can be read.
    """
    try:
        return _read(body, wanted)
    except Exception as error:  # by a fault of ours, which must not keep a delivery out of the log
        return Envelope(problem=f"reading it failed with {type(error).__name__}")


def has_room(body: bytes) -> bool:
    """Whether a body of which all is read can get as much again, and all of that is still read."""
    if b"\\u0000" in body:  # what PostgreSQL cannot store is removed from the whole
        return False
    return 2 * len(body) <= _ALWAYS_READ and 2 * (body.count(b"{") + body.count(b"[")) <= DEEPEST_LEVEL


def _read(body: bytes, wanted: Collection[str]) -> Envelope:
    brackets = body.count(b"{") + body.count(b"[")
    if (len(body) > _ALWAYS_READ or brackets > DEEPEST_LEVEL) and _is_beyond_bounds(body, brackets):
        return _read_in_part(body, brackets, wanted)
    is_plain = not (b"\\" in body and b"\\u0000" in body)  # one byte is found faster than six
    try:
        document = read_plain(body) if is_plain else read_json(body)
    except ValueError:
        try:
            is_plain, document = False, read_json(body)
        except ValueError:
            return _salvaged(body)
    return _envelope(document, is_plain)


def _envelope(document: object, is_plain: bool) -> Envelope:  # noqa: FBT001
    if not isinstance(document, dict):
        return Envelope(problem="the body is not a JSON object")
    event_type = document.get("type")
    if event_type != _USUAL_TYPE and (event_type := _name(event_type)) is None:
        return Envelope(problem="the body has no usable type")
    data = document.get("data")
    participant = data.get("object") if isinstance(data, dict) else None
    if not isinstance(participant, dict):
        return Envelope(event_type, problem="the body has no data.object")
    # The object of any other event type is not a participant: its id would be taken for a participant's.
    about_participant = event_type == _USUAL_TYPE or event_type.startswith(PARTICIPANT_TYPES)
    subject = identifier(participant.get("id")) if about_participant else None
    return _new(Envelope, (event_type, subject, participant, None, is_plain, None))


def _salvaged(body: bytes) -> Envelope:
    """Type and subject by a more lenient parser: half a surrogate pair in a name must not hide the subject."""
    try:
        document = json.loads(body.decode(), parse_int=_integer)
        event_type, participant = _name(document["type"]), document["data"]["object"]
        subject = identifier(participant["id"]) if str(event_type).startswith(PARTICIPANT_TYPES) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return Envelope(problem=_NOT_JSON)
    return Envelope(event_type, subject, problem=_NOT_STORABLE)


def _integer(digits: str) -> int | None:
    """A number that can be an id; Python refuses to read some thousand digits."""
    return int(digits) if len(digits) <= LONGEST_NAME + 1 else None


def identifier(value: object) -> str | None:
    """An id as text: 12, 12.0, 1.2e1 and "12" are the same. None for what is no id: true, 1.5, "", [], a megabyte."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < _LARGEST_ID else None
    if isinstance(value, float):
        value = _whole(value)
    return _name(value)


def _whole(value: float) -> str | None:
    """A whole number as its digits alone; None for any other."""
    if not value.is_integer():
        return None
    written = value.digits if isinstance(value, WrittenNumber) else repr(value)
    mantissa, _, power = written.lower().partition("e")
    if not mantissa.strip("-0."):
        return "0"
    if len(mantissa) > _LONGEST_WHOLE or len(power) > _LONGEST_POWER:  # of a number that is not quite 0, among others
        return None
    sign, digits, exponent = Decimal(written).as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - it is no infinity
    text = "".join(map(str, digits))
    whole, fraction = (text + "0" * exponent, "") if exponent >= 0 else (text[:exponent], text[exponent:])
    if fraction.strip("0"):
        return None
    return "-" * sign + whole.lstrip("0")


def _name(value: object) -> str | None:
    """Text PostgreSQL can store and index: not empty, not long, no NUL, no half of a surrogate pair."""
    if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and "\x00" not in value and _is_unicode(value):
        return value
    return None


def _is_unicode(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _is_beyond_bounds(body: bytes, brackets: int) -> bool:
    is_large = len(body) > LARGEST_READ or body.count(b",") + brackets > MOST_VALUES
    return is_large or (brackets > DEEPEST_LEVEL and _is_deeper(body, DEEPEST_LEVEL))


_BLOCK = 256  # brackets
_NO_STRUCTURE = bytes(set(range(256)) - set(b'[{}]"'))
_STEPS = bytes(1 if character in b"[{" else 255 for character in range(256))  # a level in, or (-1 as a byte) out


def _is_deeper(text: bytes, levels: int) -> bool:
    """Whether JSON has more levels, from the brackets outside of its texts, block by block; it is not parsed."""
    structure = text.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NO_STRUCTURE).replace(b'""', b"")
    brackets = b"".join(structure.split(b'"')[::2])
    level = 0
    for begin in range(0, len(brackets), _BLOCK):
        block = brackets[begin : begin + _BLOCK]
        opened = block.count(b"[") + block.count(b"{")
        if level + opened > levels and level + max(accumulate(array("b", block.translate(_STEPS)))) > levels:
            return True
        level += 2 * opened - len(block)
    return False


class _Body(msgspec.Struct):
    """A body that is skimmed: the bytes of its values, as they are."""

    type: msgspec.Raw = msgspec.Raw(b"null")
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Data(msgspec.Struct):
    object: msgspec.Raw = msgspec.Raw(b"null")


_skim_body = msgspec.json.Decoder(_Body).decode
_skim_data = msgspec.json.Decoder(_Data).decode
_skim_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _read_in_part(body: bytes, brackets: int, wanted: Collection[str]) -> Envelope:
    """The envelope of a body beyond the bounds, with those of the participant's values that are within them."""
    is_large = len(body) > _LARGEST_DENSE
    if is_large and body.count(b",") + brackets > _MOST_IN_LARGER:
        return _unread(body, f"the body has more than {_MOST_IN_LARGER} values, too many for its size")
    if brackets > _DEEPEST_BODY and _is_deeper(body, _DEEPEST_BODY):
        return _unread(body, f"the body is nested deeper than {_DEEPEST_BODY} levels")
    try:
        return _skimmed(body, wanted)
    except ValueError:
        pass
    if is_large and body.count(b"\\u") > _MOST_IN_LARGER:
        return Envelope(problem=_NOT_JSON)
    # As in `_salvaged`. What is half of a pair becomes a NUL, which no type and no subject may have.
    unambiguous = body.replace(b"\\\\", b"\\u005c")
    try:
        envelope = _skimmed(HALF_A_PAIR.sub(rb"\\u0000", unambiguous), ())
    except ValueError:
        return Envelope(problem=_NOT_JSON)
    return Envelope(envelope.event_type, envelope.subject, problem=_NOT_STORABLE)


def _unread(body: bytes, problem: str) -> Envelope:
    """The envelope of a body that is not read, but for the subject if it begins with that: erasures find it by this."""
    beginning = body[:_BEGINNING]
    with suppress(ValueError):
        # What stands before a comma is complete: no number is cut in two.
        document = from_json(beginning[: beginning.rfind(b",")], allow_partial=True)
        return Envelope(subject=_envelope(document, is_plain=False).subject, problem=problem)
    return Envelope(problem=problem)


def _skimmed(body: bytes, wanted: Collection[str]) -> Envelope:
    """Raises `ValueError` where the body, its type or a key of the participant is not JSON."""
    try:
        outer = _skim_body(body)
    except msgspec.ValidationError:
        return _envelope(None, is_plain=False)
    try:
        values = _skim_object(_skim_data(outer.data).object)
    except msgspec.ValidationError:  # another shape
        values, participant = {}, None
    else:
        participant = _within_bounds(values, wanted)
    event_type = from_json(bytes(outer.type)) if len(outer.type) < _LONGEST_TYPE else None
    envelope = _envelope({"type": event_type, "data": {"object": participant}}, is_plain=False)
    if participant is None or len(participant) == len(values):
        return envelope
    return envelope._replace(left_out=[key for key in wanted if key in values and key not in participant])


def _within_bounds(values: Mapping[str, msgspec.Raw], wanted: Collection[str]) -> JsonObject:
    """The values that are within the bounds together: first the id and what is wanted, then in the body's order."""
    kept: JsonObject = {}
    bytes_left, values_left = LARGEST_READ, MOST_VALUES
    for key in chain(("id",), wanted, islice(values, MOST_VALUES)):
        size = len(key) + len(values.get(key, b""))
        if key not in values or key in kept or size > bytes_left:
            continue
        value = bytes(values[key])
        number = 1 + _values_in(value) if value[0] in b"{[" else 1
        if number > values_left:
            continue
        bytes_left, values_left = bytes_left - size, values_left - number  # also of a value that is then left out
        if number > _DEEPEST_VALUE and _is_deeper(value, _DEEPEST_VALUE):
            continue
        with suppress(ValueError):
            kept[key] = read_json(value)
    return kept


def _values_in(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")
