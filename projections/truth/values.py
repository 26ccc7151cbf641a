"""Compares what is listed of a participant with what the roster has, column by column. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from projections.participants.convert import WillNotConvert
from projections.participants.fields import DECLARED
from projections.truth.cells import Convert, is_same

_KINDS = {column.column: column.kind for column in DECLARED.columns}
_EVENT, _UPDATED = "event_id", "updated_at"


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
            if not is_same(_KINDS[column], converted, value):
                stale[column] = converted, value
                is_ahead = is_ahead or (column == _UPDATED and _is_later(value, converted))
        return Compared(stale, unreadable, is_ahead)

    def read(self, listed: Sequence[str]) -> Compared:
        """All that is listed of somebody of whom the roster has nothing."""
        return self.compared(listed, [""] * len(self.columns))

    def event_of(self, cells: Sequence[str]) -> str:
        """The event among the values; an empty text if there is none."""
        return cells[self.columns.index(_EVENT)] if _EVENT in self.columns else ""


def _is_later(stored: str, listed: str) -> bool:
    return bool(stored and listed) and datetime.fromisoformat(stored) > datetime.fromisoformat(listed)
