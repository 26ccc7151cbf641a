"""The order of a list, and going on in it after a row: ranges of an index one after the other, whatever the depth.

Empty values come last, ascending or descending. Whoever has the same values comes in the order of their ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, bindparam, or_, true

from projections.roster.criteria import NEVER_EMPTY, SortKey
from projections.roster.where import key_of


def name_of(place: int) -> str:
    """What the key at this place of an order is called in a statement."""
    return f"key_{place}"


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    expression: ColumnElement[Any]
    descending: bool
    can_be_empty: bool

    @property
    def ordered(self) -> ColumnElement[Any]:
        ordered = self.expression.desc() if self.descending else self.expression.asc()
        return ordered.nulls_last() if self.can_be_empty else ordered

    @property
    def given(self) -> ColumnElement[Any]:
        """The value of the row before, by its name."""
        return bindparam(self.name, required=False, type_=self.expression.type)

    def is_same(self, *, is_empty: bool) -> ColumnElement[bool]:
        return self.expression.is_(None) if is_empty else self.expression == self.given

    def is_after(self) -> ColumnElement[bool]:
        """Later than the row before, among those that are not empty."""
        return self.expression < self.given if self.descending else self.expression > self.given


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
        self._keys = [
            _Key(name_of(place), key_of(rows.c[one.column]), one.descending, one.column not in NEVER_EMPTY)
            for place, one in enumerate(every)
        ]

    @property
    def keys(self) -> list[ColumnElement[Any]]:
        """What a row is ordered by; the values of the last row of a page say where the next begins."""
        return [key.expression.label(key.name) for key in self._keys]

    @property
    def all(self) -> tuple[ColumnElement[Any], ...]:
        """The order of everything at once."""
        return self._order(0)

    def by(self, rows: FromClause) -> list[ColumnElement[Any]]:
        """The order of rows that have the keys as columns."""
        return [replace(key, expression=rows.c[key.name]).ordered for key in self._keys]

    def ranges(self, empty: Sequence[bool] | None) -> list[Range]:
        """The whole order (null), or what follows a row, as ranges one after the other.

        `empty`: which keys of that row are. The others are bound by their names.
        """
        first = self._keys[0]
        if empty is None:
            return self._split(true())
        found = []
        for number in reversed(range(1, len(self._keys))):
            key = self._keys[number]
            if empty[number]:  # nothing comes after what is empty
                continue
            same = [one.is_same(is_empty=is_empty) for one, is_empty in zip(self._keys[:number], empty, strict=False)]
            later = or_(key.is_after(), key.expression.is_(None)) if key.can_be_empty else key.is_after()
            found.append(Range(and_(*same, later), self._order(number)))
        return found if empty[0] else [*found, *self._split(first.is_after())]

    def next(self, empty: Sequence[bool] | None) -> Range:
        """What comes next, if not to the very end, as one range that is read from where it begins."""
        first = self._keys[0]
        ranges = self.ranges(empty)
        if empty is None or empty[0]:
            return ranges[0]
        with_first = ranges[:-1] if first.can_be_empty else ranges
        begins = first.expression <= first.given if first.descending else first.expression >= first.given
        return Range(and_(begins, or_(*(one.condition for one in with_first))), with_first[-1].order)

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
