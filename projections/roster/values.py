"""Values read from the texts of query parameters; `ValueError`, or None, where a text is none. Pure."""

import csv
from datetime import UTC, date, datetime

LARGEST_INTEGER = 2**63 - 1
_DATE_LENGTH = len("2026-05-01")


def text(value: str) -> str:
    """Validate a text: PostgreSQL's cannot hold NUL characters."""
    if "\x00" in value:
        raise ValueError("a text without NUL characters")
    return value


def whole_number(value: object) -> object:
    """A whole number from its digits, with a minus sign or without."""
    if isinstance(value, str):
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and abs(int(value)) <= LARGEST_INTEGER):
            raise ValueError("a whole number")
        return int(value)
    return value


def day(value: object) -> object:
    """A date from its ISO form, None if it is none."""
    if isinstance(value, str):
        try:
            # fromisoformat also takes 20261231 and 2026-W01-1, which are not documented.
            return date.fromisoformat(value) if len(value) == 10 and value[4] == value[7] == "-" else None
        except ValueError:
            return None
    return value


def moment(value: object) -> object:
    """A time in UTC from its ISO form, None if it is none; without a zone it is in UTC.

    A date is its midnight without a zone: `days.in_zone` says when that is.
    """
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value.upper()) if value[4:5] == value[7:8] == "-" else None
            if time is not None and len(value) == _DATE_LENGTH:
                return time
            return None if time is None else (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
    return value


def in_file_name(as_of: str | None) -> str | None:
    """A day or a time, as it was asked for, as it stands in the name of a file; None of a position."""
    time = moment(as_of)
    if not isinstance(time, datetime):
        return None
    return f"{time:%Y-%m-%d}" if time.tzinfo is None else f"{time:%Y-%m-%dT%H%M%SZ}"


def between_commas(value: object) -> object:
    """The values between commas, each of which may stand in quotes."""
    if isinstance(value, str):
        try:
            [values] = csv.reader([value], strict=True)
        except (csv.Error, ValueError):
            raise ValueError("values with commas between them") from None
        return values
    return value
