"""Reads the envelope of a delivery: its type, and the participant it is about. Pure and total; it folds nothing."""

import json
from typing import NamedTuple

import msgspec
from pydantic_core import from_json

LONGEST_NAME = 255  # characters. Types and ids are indexed, and PostgreSQL limits an index row to 2704 bytes.
_PARTICIPANT_TYPES = "event.participant."
_USUAL_TYPE = "event.participant.created"  # the one that Movemint publishes; it needs no check
_LARGEST_ID = 10**LONGEST_NAME
_DEEPEST = 200  # opening brackets; `from_json` reads as many levels
_LONGEST_NUMBER = 300  # characters, far below the limit of `jsonb`

JsonObject = dict[str, object]


class Envelope(NamedTuple):
    """What a body says about itself. `problem` is why it could not be read further; what was not read is None.

    `is_plain`: PostgreSQL reads the same document from these bytes as `jsonb`. (A tuple, as one is made per event.)
    """

    event_type: str | None = None
    subject: str | None = None
    participant: JsonObject | None = None
    problem: str | None = None
    is_plain: bool = False


def read_envelope(body: bytes) -> Envelope:
    """The envelope `{"type": ..., "data": {"object": {...}}}`, the only shape Movemint publishes.

    A body of any other shape gives an envelope with a problem, never an error: every signed body is kept.
    """
    has_nul = b"\\" in body and b"\\u0000" in body  # one byte is found faster than six
    is_plain = not has_nul and body.count(b"{") + body.count(b"[") < _DEEPEST
    try:
        document = _read_plain(body) if is_plain else from_json(body, allow_inf_nan=False)
    except ValueError:
        try:
            is_plain, document = False, from_json(body, allow_inf_nan=False)
        except ValueError:
            return _salvaged(body)
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
    about_participant = event_type == _USUAL_TYPE or event_type.startswith(_PARTICIPANT_TYPES)
    subject = identifier(participant.get("id")) if about_participant else None
    return Envelope(event_type, subject, participant, None, is_plain)


def _float(digits: str) -> float:
    """A number with a fraction. Raises `ValueError` for a long one or an exponent, which `jsonb` may not hold."""
    if len(digits) > _LONGEST_NUMBER or "e" in digits or "E" in digits:
        raise ValueError
    return float(digits)


_read_plain = msgspec.json.Decoder(float_hook=_float).decode


def _salvaged(body: bytes) -> Envelope:
    """Type and subject by a more lenient parser: half a surrogate pair in a name must not hide the subject."""
    try:
        document = json.loads(body.decode(), parse_int=str)
        event_type, participant = _name(document["type"]), document["data"]["object"]
        subject = identifier(participant["id"]) if str(event_type).startswith(_PARTICIPANT_TYPES) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return Envelope(problem="the body is not JSON")
    return Envelope(event_type, subject, problem="the body is not JSON that can be stored")


def identifier(value: object) -> str | None:
    """An id as text: 12 and "12" are the same. None for what cannot be an id: true, 1.5, "", [], a megabyte."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < _LARGEST_ID else None
    return _name(value)


def _name(value: object) -> str | None:
    """Text PostgreSQL can store and index: not empty, not long, no NUL, no half of a surrogate pair."""
    if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and "\x00" not in value and _is_unicode(value):
        return value
    return None


def _is_unicode(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
