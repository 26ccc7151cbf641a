"""Compares what is listed of a participant with what the roster has, column by column. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from projections.participants.convert import WillNotConvert
from projections.participants.fields import DECLARED, Kind
from projections.truth.cells import Convert, has_lost_letters, is_same

UNLISTED_AT = "unlisted_at"  # compared after all other columns: whoever is listed is not unlisted
COMPARED_KINDS = {**{column.column: column.kind for column in DECLARED.columns}, UNLISTED_AT: Kind.TIME}
DATED = frozenset(column for column, kind in COMPARED_KINDS.items() if kind in (Kind.DATE, Kind.TIME))
_EVENT, _UPDATED = "event_id", "updated_at"
_TIME = re.compile(r"\d:\d\d(?::?(\d\d)([.,]\d+)?)?(?!\d)")


class Compared(NamedTuple):
    """`stale`: by column what is listed and what the roster has. `unreadable`: columns of which a value is no value.

    `is_ahead`: the roster's state was updated later than the listed one.
    """

    stale: Mapping[str, tuple[str, str]]
    unreadable: Sequence[str]
    is_ahead: bool


@dataclass(frozen=True, slots=True)
class ListedValues:
    """`columns`: of the cells, in their order. `empties`: of these columns an empty cell says that there is nothing."""

    columns: tuple[str, ...]
    convert: Convert
    empties: frozenset[str] = field(default_factory=frozenset)

    def compared(self, listed: Sequence[str], stored: Sequence[str]) -> Compared:
        """What differs. An empty cell says nothing, but in the columns of `empties`."""
        stale: dict[str, tuple[str, str]] = {}
        unreadable: list[str] = []
        event_id = self.event_of(stored) or self.event_of(listed)
        is_ahead = False
        for column, cell, value in zip(self.columns, listed, stored, strict=True):
            if cell == value or (not cell and column not in self.empties):
                continue
            try:
                converted = self.convert(column, cell, event_id) if cell else ""
            except WillNotConvert:
                unreadable.append(column)
                continue
            later = _later(value, converted) if column == _UPDATED else None
            if later is not None and abs(later) < _unit(cell):
                continue
            if not is_same(COMPARED_KINDS[column], converted, value) and not has_lost_letters(converted, value):
                stale[column] = converted, value
                is_ahead = is_ahead or (later is not None and later > timedelta())
        return Compared(stale, unreadable, is_ahead)

    def read(self, listed: Sequence[str]) -> Compared:
        """All that is listed of somebody of whom the roster has nothing."""
        return self.compared(listed, [""] * len(self.columns))

    def spelled(self, listed: Sequence[str], stored: Sequence[str] = ()) -> list[str]:
        """What is listed, in the roster's spelling; what cannot be read, as it stands.

        `stored`: what the roster has of the same person. Where that is the same, it is in the roster's spelling.
        """
        event_id = self.event_of(listed)
        known = stored or ("",) * len(listed)
        return [
            self._spelled(column, cell, event_id) if cell and cell != value else cell
            for column, cell, value in zip(self.columns, listed, known, strict=True)
        ]

    def _spelled(self, column: str, cell: str, event_id: str) -> str:
        try:
            value = self.convert(column, cell, event_id)
        except WillNotConvert:
            return cell
        return _in_utc(value) if COMPARED_KINDS[column] is Kind.TIME else value

    def said_by(self, listed: Sequence[str], stored: Sequence[str]) -> list[str]:
        """What the roster has, without the values of which the list says nothing."""
        return [
            value if cell or column in self.empties else ""
            for column, cell, value in zip(self.columns, listed, stored, strict=True)
        ]

    def event_of(self, cells: Sequence[str]) -> str:
        """The event among the values; an empty text if there is none."""
        return cells[self.columns.index(_EVENT)] if _EVENT in self.columns else ""


def _later(stored: str, listed: str) -> timedelta | None:
    """By how much the stored time is later; None if one of them is not there."""
    return datetime.fromisoformat(stored) - datetime.fromisoformat(listed) if stored and listed else None


def _unit(cell: str) -> timedelta:
    """The finest unit in which a time is written: an export may round its times."""
    written = _TIME.search(cell)
    if written is None:
        return timedelta(days=1)
    return timedelta(minutes=1) if written[1] is None else timedelta() if written[2] else timedelta(seconds=1)


def _in_utc(value: str) -> str:
    """A converted time as the roster's lines have it."""
    written = datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None).isoformat()
    return (written.rstrip("0") if "." in written else written) + "Z"
