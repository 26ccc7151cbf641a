"""Converts a cell of a file as the fold converts a value of a delivery, and compares it with the roster's. Pure."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache

from projections.participants.bounds import LONGEST_TEXT
from projections.participants.convert import DAY_ALONE_LENGTH, READERS, WillNotConvert
from projections.participants.fields import Fields, Kind
from projections.truth.conclusion import NothingConcluded

_PARTS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "hh": "%H", "mm": "%M", "ss": "%S"}
_PART = re.compile("|".join(_PARTS))
_LAST_OF_ONE_UNIT = "\uffff"  # of UTF-16
_DAY_LENGTH = len("2026-05-01")
_LIKE_ISO = "%Y%d%m"  # hyphens left out: some of its dates can be read as ISO, as other days

Convert = Callable[[str, str, str], str]
"""The value of a cell, from the column, the cell and the participant's event. Raises `WillNotConvert`."""


def date_forms(pattern: str) -> tuple[str, ...]:
    """A form of dates such as DD/MM/YYYY, or DD.MM.YYYY hh:mm, as Python reads it; with a time, also its day alone.

    Raises `NothingConcluded`.
    """
    parts = _PART.findall(pattern)
    rest = _PART.sub("", pattern)
    if not {"YYYY", "MM", "DD"} <= {*parts} or len(parts) != len({*parts}) or re.search("[A-Za-z0-9%]", rest):
        raise NothingConcluded(
            f"--date-format {pattern!r} is no form of dates: write YYYY, MM and DD, such as DD/MM/YYYY, and hh, mm, ss"
        )
    form = _PART.sub(lambda part: _PARTS[part[0]], pattern)
    day, blank, _ = form.partition(" ")
    return (form, day) if blank and "%H" not in day else (form,)


def reads_iso_otherwise(forms: Sequence[str]) -> bool:
    """Whether days of these forms can be read as ISO, as other days."""
    return any(form.replace("-", "").startswith(_LIKE_ISO) for form in forms)


def converting(fields: Fields, forms: Sequence[str] = ()) -> Convert:
    """The conversion of cells. `forms`: of days and times that are not ISO, as `date_forms` gives them."""
    kinds = {field.column: field.kind for field in fields.columns}
    day_begins = None if fields.calendar.is_utc else fields.calendar.day_begins()
    is_like_iso = reads_iso_otherwise(forms)

    @lru_cache(65_536)
    def iso(cell: str) -> str:
        for form in forms:
            try:
                moment = datetime.strptime(cell.strip(), form)  # noqa: DTZ007 - the fold says in which zone it is
            except ValueError:
                continue
            return moment.isoformat() if "%H" in form else moment.date().isoformat()
        if is_like_iso and cell.strip():
            raise WillNotConvert("a date in another form than --date-format says")
        return cell

    def convert(column: str, cell: str, event_id: str) -> str:
        kind = kinds[column]
        if forms and kind in (Kind.DATE, Kind.TIME):
            cell = iso(cell)
        value = READERS[kind](cell)
        if len(value) > LONGEST_TEXT or "\0" in value:
            raise WillNotConvert("a text that no column holds")
        if kind is Kind.TIME and len(value) == DAY_ALONE_LENGTH:
            day = value[:_DAY_LENGTH]
            return f"{day}T00:00:00Z" if day_begins is None else day_begins(event_id, day)
        return value

    return convert


def has_lost_letters(listed: str, stored: str) -> bool:
    """Whether all that differs are letters for which the list has a question mark, as a program writes it where the
    encoding of its file does not have the letter: such a value says nothing.
    """
    # Excel writes one for each unit of UTF-16, and so two for an emoji; others write one for each letter.
    units = "".join(letter * (1 if letter <= _LAST_OF_ONE_UNIT else 2) for letter in stored)
    return "?" in listed and any(_may_be_lost(listed, letters) for letters in (stored, units))


def _may_be_lost(listed: str, letters: str) -> bool:
    pairs = zip(listed, letters, strict=False)
    return len(listed) == len(letters) and all(
        there == here or (there == "?" and not here.isascii()) for there, here in pairs
    )


def is_same(kind: Kind, listed: str, stored: str) -> bool:
    """Whether a converted value is the roster's. Times are compared as moments."""
    if listed == stored:
        return True
    if kind is not Kind.TIME or not listed or not stored:
        return False
    return datetime.fromisoformat(listed) == datetime.fromisoformat(stored)
