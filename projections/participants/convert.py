"""Converts one value of a delivery to a column's kind, or says why not; it never guesses. Pure and total.

The result is a text that PostgreSQL reads as the column's type, such as `12`, `1990-12-31`, `2026-05-01T09:30:00Z`.
A time that came as a date alone is its midnight in UTC, and the only one that is spelled without seconds.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time

from ingest.delivery import LONGEST_NAME, USUAL_ID, identifier
from ingest.exact_json import number_as_text
from projections.participants.fields import Kind

_LARGEST_INTEGER = 2_147_483_647
_NO_DATE = "not an ISO date such as 1990-12-31"
_DATE_LENGTH = len("1990-12-31")
_MIDNIGHT = time(0)
_FIRST_SECOND = datetime(1970, 1, 1)  # noqa: DTZ001 - as it is written
_NO_YEARS = ("0001", "9999")  # programs write 0001-01-01 and 9999-12-31 for no date
_BETWEEN = ("", "T", "t", " ")  # a day and its time; `fromisoformat` takes any character
_STANDS_FOR_NONE = "a date that stands for none"
_NO_TIME = "not an ISO time such as 2026-05-01T09:30:00Z"
# A time as it is given here, and nearly always comes; the others are read as below, which takes twice as long.
_is_usual_time = re.compile(
    r"(?!0001|9999)[0-9]{4}-[0-9]{2}-[0-9]{2}T(?!24)[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
).fullmatch
_MIDNIGHT_TEXT = "T00:00Z"
DAY_ALONE_LENGTH = _DATE_LENGTH + len(_MIDNIGHT_TEXT)  # of a converted time that came as a date alone


class WillNotConvert(Exception):
    """The value is not of the column's kind; the message says what was expected and never shows the value."""


Reader = Callable[[object], str]


def _id(value: object) -> str:
    id_ = str(value) if value.__class__ is int and 0 <= value < USUAL_ID else identifier(value)
    if id_ is None:
        raise WillNotConvert(f"not an id: neither an integer nor a text of 1 to {LONGEST_NAME} characters")
    return id_


def _text(value: object) -> str:
    if value.__class__ is str:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WillNotConvert("not a text")
    if isinstance(value, float) and not math.isfinite(value):
        raise WillNotConvert("not a finite number")
    return number_as_text(value)


def _integer(value: object) -> str:
    if isinstance(value, str) and len(value) <= 20:
        digits = value.strip()  # of more characters than `int` strips
        value = int(digits) if digits.isascii() and digits.isdigit() else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST_INTEGER:
        raise WillNotConvert("not a whole number")
    return str(value)


def _date(value: object) -> str:
    if value.__class__ is str and len(value) == _DATE_LENGTH and value[4] == value[7] == "-":
        try:
            date.fromisoformat(value)
        except ValueError:
            raise WillNotConvert(_NO_DATE) from None
        if value[:4] in _NO_YEARS:
            raise WillNotConvert(_STANDS_FOR_NONE)
        return value
    moment = _iso(value, _NO_DATE)
    if moment.time() != _MIDNIGHT or moment.utcoffset():
        raise WillNotConvert("a time, which is another day in another zone; a date such as 1990-12-31 is none")
    if moment.replace(tzinfo=None) == _FIRST_SECOND:
        raise WillNotConvert("the beginning of 1970 as a time, which stands for no date")
    return moment.date().isoformat()


def _time(value: object) -> str:
    if value.__class__ is str and _is_usual_time(value):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise WillNotConvert(_NO_TIME) from None
        return value
    moment = _iso(value, _NO_TIME)
    if len(text := str(value)) == _DATE_LENGTH:
        return text + _MIDNIGHT_TEXT
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise WillNotConvert("a time outside the years 1 to 9999") from None
    return moment.isoformat()


def _iso(value: object, expected: str) -> datetime:
    # `fromisoformat` also takes 20261231 and 2026-W01-1; a number or a code that looks like these need not be a date.
    # Python 3.14 takes an hour 24 for the next day, older ones refuse it; every Python must fold the same.
    if not isinstance(value, str) or value[4:5] != "-" or value[7:8] != "-" or value[11:13] == "24":
        raise WillNotConvert(expected)
    if value[_DATE_LENGTH : _DATE_LENGTH + 1] not in _BETWEEN:
        raise WillNotConvert(expected)
    if value.startswith(_NO_YEARS):
        raise WillNotConvert(_STANDS_FOR_NONE)
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise WillNotConvert(expected) from None


# Each gives the converted value as text, or raises `WillNotConvert`.
READERS: dict[Kind, Reader] = {
    Kind.ID: _id,
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.DATE: _date,
    Kind.TIME: _time,
}
