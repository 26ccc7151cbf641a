"""The order of a list, and going on in it after a row: ranges of an index one after the other, whatever the depth.

Empty values come last, ascending or descending. Whoever has the same values comes in the order of their ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, false, literal, or_, true
from sqlalchemy.types import TypeEngine

from projections.participants.conditions import key_of
from projections.participants.criteria import NEVER_EMPTY, SortKey


@dataclass(frozen=True, slots=True)
class _Key:
    expression: ColumnElement[Any]
    descending: bool
    can_be_empty: bool

    @property
    def type(self) -> TypeEngine[Any]:
        return self.expression.type

    @property
    def ordered(self) -> ColumnElement[Any]:
        ordered = self.expression.desc() if self.descending else self.expression.asc()
        return ordered.nulls_last() if self.can_be_empty else ordered

    def is_same(self, value: object) -> ColumnElement[bool]:
        return self.expression.is_(None) if value is None else self.expression == self._bound(value)

    def is_after(self, value: object) -> ColumnElement[bool]:
        """Among those that are not empty."""
        if value is None:
            return false()
        return self.expression < self._bound(value) if self.descending else self.expression > self._bound(value)

    def _bound(self, value: object) -> ColumnElement[Any]:
        return literal(value, self.type)


@dataclass(frozen=True, slots=True)
class Range:
    """A condition on the rows, and their order within it."""

    condition: ColumnElement[bool]
    order: tuple[ColumnElement[Any], ...]


class Order:
    """An order of rows, down to their ids."""

    def __init__(self, rows: FromClause, sort: Sequence[SortKey]) -> None:
        named = {one.column for one in sort}
        down = bool(sort) and sort[0].descending
        # The id goes the way of the first column, so that one index has both.
        every = [*sort] if "participant_id" in named else [*sort, SortKey("participant_id", down)]
        self._keys = [_Key(key_of(rows.c[one.column]), one.descending, one.column not in NEVER_EMPTY) for one in every]

    @property
    def keys(self) -> list[ColumnElement[Any]]:
        """What a row is ordered by; the values of the last row of a page say where the next begins."""
        return [key.expression.label(f"key_{number}") for number, key in enumerate(self._keys)]

    @property
    def all(self) -> tuple[ColumnElement[Any], ...]:
        """The order of everything at once."""
        return self._order(0)

    def by(self, rows: FromClause) -> list[ColumnElement[Any]]:
        """The order of rows that have the keys as columns."""
        columns = [rows.c[key.name] for key in self.keys]
        return [replace(key, expression=column).ordered for key, column in zip(self._keys, columns, strict=True)]

    def ranges(self, after: Sequence[object] | None) -> list[Range]:
        """The whole order, or what follows a row with these keys, as ranges one after the other."""
        first = self._keys[0]
        if after is None:
            return self._split(true())
        found = []
        for number in reversed(range(1, len(self._keys))):
            same = [key.is_same(value) for key, value in zip(self._keys[:number], after, strict=False)]
            key, value = self._keys[number], after[number]
            later = key.is_after(value)
            if key.can_be_empty and value is not None:
                later = or_(later, key.expression.is_(None))
            found.append(Range(and_(*same, later), self._order(number)))
        if after[0] is not None:
            found += self._split(first.is_after(after[0]))
        return found

    def _split(self, condition: ColumnElement[bool]) -> list[Range]:
        """Those with a first value, then those without: each is one range of its index."""
        first, *others = self._keys
        if not first.can_be_empty:
            return [Range(condition, self._order(0))]
        # Without a word about empty values, of which there are none, an index can be followed both ways.
        ordered = replace(first, can_be_empty=False).ordered
        is_there = and_(condition, first.expression.is_not(None))
        return [
            Range(is_there, (ordered, *(key.ordered for key in others))),
            Range(first.expression.is_(None), self._order(1)),
        ]

    def _order(self, number: int) -> tuple[ColumnElement[Any], ...]:
        """From this key on: those before are the same in all of the range."""
        return tuple(key.ordered for key in self._keys[number:])
