"""Reads one value of a delivery as a column's kind. Pure and total: a value, or why there is none; no guesses."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime

from ingest.delivery import LONGEST_NAME, identifier
from projections.participants.fields import Kind

Value = str | int | date | datetime
_LARGEST_INTEGER = 2_147_483_647


class WillNotConvert(Exception):
    """The value is not of the column's kind; the message says what was expected and never shows the value."""


def convert(value: object, kind: Kind) -> Value:
    """The value as its column holds it. Raises `WillNotConvert`."""
    return _READERS[kind](value)


def _id(value: object) -> str:
    found = identifier(value)
    if found is None:
        raise WillNotConvert(f"not an id: neither an integer nor a text of 1 to {LONGEST_NAME} characters")
    return found


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise WillNotConvert("not a text")
    text = str(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise WillNotConvert("not a finite number")
    if "\x00" in text:
        raise WillNotConvert("a text with a NUL character, which PostgreSQL cannot store")
    return text


def _integer(value: object) -> int:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) <= 20:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST_INTEGER:
        raise WillNotConvert("not a whole number")
    return value


def _date(value: object) -> date:
    # A date with a time of day names its own day, whatever the zone.
    return _iso(value, "not an ISO date such as 1990-12-31").date()


def _time(value: object) -> datetime:
    found = _iso(value, "not an ISO time such as 2026-05-01T09:30:00Z")
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        raise WillNotConvert("a time outside the years 1 to 9999") from None


def _iso(value: object, expected: str) -> datetime:
    # fromisoformat also takes forms nobody writes, such as 20261231 and 2026-W01-1; those would be guesses.
    if not isinstance(value, str) or value[4:5] != "-" or value[7:8] != "-":
        raise WillNotConvert(expected)
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise WillNotConvert(expected) from None


_READERS: dict[Kind, Callable[[object], Value]] = {
    Kind.ID: _id,
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.DATE: _date,
    Kind.TIME: _time,
}
