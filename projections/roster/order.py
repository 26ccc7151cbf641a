"""The order of a list, and the rows after a row in it, as consecutive ranges of an index: every page costs the same.

Empty values (SQL's null) come last, ascending and descending. Rows with equal values are ordered by id. Backwards all
is the other way round: the rows before a row, the nearest first, from the same indexes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Text, and_, bindparam, case, func, or_, true, type_coerce

from projections.participants.keys import LONGEST_KEY
from projections.roster.criteria import NEVER_EMPTY, SortKey
from projections.roster.where import key_of

_NOT_PLAIN = r"[\x01-\x1f`]|^ |  | $"  # of ASCII: what a key has otherwise, beside its case


def name_of(index: int) -> str:
    """The label and the bind name of an order's key, by its index in the order."""
    return f"key_{index}"


def _sorted_by(rows: FromClause, column: str) -> ColumnElement[Any]:
    """What rows are sorted by: the column's key, which has an index; of these texts a key that is made here."""
    if column not in ("status", "sub_event_name"):
        return key_of(rows, column)
    words = rows.c[column]
    # As most are, and as `reporting.text_key` tells them: letter by letter takes ten times as long.
    is_plain = and_(func.octet_length(words) == func.length(words), words.op("!~")(_NOT_PLAIN))
    lowered = func.left(func.lower(words.collate("C")), LONGEST_KEY)
    key = case((is_plain, lowered), else_=func.text_key_by_letter(words))
    return type_coerce(key, Text()).collate("C")


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    expression: ColumnElement[Any]
    descending: bool
    can_be_empty: bool
    empty_first: bool

    @property
    def ordered(self) -> ColumnElement[Any]:
        ordered = self.expression.desc() if self.descending else self.expression.asc()
        if not self.can_be_empty:
            return ordered
        return ordered.nulls_first() if self.empty_first else ordered.nulls_last()

    @property
    def ordered_without_empty(self) -> ColumnElement[Any]:
        """Where no value is empty: an index can be scanned in either direction then."""
        return replace(self, can_be_empty=False).ordered

    @property
    def previous(self) -> ColumnElement[Any]:
        """The value of the previous row, bound by the key's name."""
        return bindparam(self.name, required=False, type_=self.expression.type)

    def is_same(self, *, is_empty: bool) -> ColumnElement[bool]:
        return self.expression.is_(None) if is_empty else self.expression == self.previous

    def is_after(self) -> ColumnElement[bool]:
        """Whether a value that is not empty comes after the previous row's."""
        return self.expression < self.previous if self.descending else self.expression > self.previous


@dataclass(frozen=True, slots=True)
class Range:
    """The rows that meet a condition, and their order."""

    condition: ColumnElement[bool]
    order: tuple[ColumnElement[Any], ...]


class Order:
    """An order of rows: the keys asked for, then the id; or the same backwards."""

    def __init__(self, rows: FromClause, sort: Sequence[SortKey], *, backwards: bool = False) -> None:
        self._backwards = backwards
        has_id = any(key.column == "participant_id" for key in sort)
        descending = bool(sort) and sort[0].descending
        # The id has the direction of the first key, so that one index has both.
        sort_keys = [*sort] if has_id else [*sort, SortKey("participant_id", descending)]
        self._keys = [
            _Key(
                name_of(index),
                _sorted_by(rows, key.column),
                key.descending != backwards,
                key.column not in NEVER_EMPTY,
                backwards,
            )
            for index, key in enumerate(sort_keys)
        ]

    @property
    def keys(self) -> list[ColumnElement[Any]]:
        """The keys as labelled columns; their values in a page's last row say where the next page begins."""
        return [key.expression.label(key.name) for key in self._keys]

    @property
    def all(self) -> tuple[ColumnElement[Any], ...]:
        """The order of the whole list."""
        return self._order(0)

    def by(self, rows: FromClause) -> list[ColumnElement[Any]]:
        """The order of rows that have the keys as columns."""
        return [replace(key, expression=rows.c[key.name]).ordered for key in self._keys]

    def ranges(self, empty: Sequence[bool] | None) -> list[Range]:
        """The rows after the previous row, as consecutive ranges.

        `empty`: which keys of the previous row are empty; the values of the others are bound by name. None: there is no
        previous row, and the ranges are the whole list; not backwards.
        """
        if self._backwards and empty is not None:
            return [self._back(index, empty) for index in reversed(range(len(self._keys)))]
        first = self._keys[0]
        if empty is None:
            return self._split(true())
        ranges = []
        for index in reversed(range(1, len(self._keys))):
            key = self._keys[index]
            if empty[index]:  # empty values are last: there is none after them
                continue
            same = self._same(index, empty)
            later = or_(key.is_after(), key.expression.is_(None)) if key.can_be_empty else key.is_after()
            ranges.append(Range(and_(*same, later), self._order(index)))
        return ranges if empty[0] else [*ranges, *self._split(first.is_after())]

    def _same(self, index: int, empty: Sequence[bool]) -> list[ColumnElement[bool]]:
        """Whether the keys before this one are those of the previous row."""
        return [before.is_same(is_empty=is_) for before, is_ in zip(self._keys[:index], empty, strict=False)]

    def _back(self, index: int, empty: Sequence[bool]) -> Range:
        """The rows that this key is the first to tell from the row after them: all of them have a value."""
        key = self._keys[index]
        differs = key.expression.is_not(None) if empty[index] else key.is_after()
        order = (key.ordered_without_empty, *self._order(index + 1))
        return Range(and_(*self._same(index, empty), differs), order)

    def next(self, empty: Sequence[bool] | None) -> Range:
        """The next rows, not always up to the end of the list, as one range that an index scan reads from its start."""
        first = self._keys[0]
        ranges = self.ranges(empty)
        if empty is None or empty[0]:
            return ranges[0]
        with_first = ranges[:-1] if first.can_be_empty else ranges
        begins = first.expression <= first.previous if first.descending else first.expression >= first.previous
        return Range(and_(begins, or_(*(range_.condition for range_ in with_first))), with_first[-1].order)

    def _split(self, condition: ColumnElement[bool]) -> list[Range]:
        """The rows whose first key has a value, then those whose first key is empty: each is one range of an index."""
        first, *others = self._keys
        if not first.can_be_empty:
            return [Range(condition, self._order(0))]
        is_there = and_(condition, first.expression.is_not(None))
        return [
            Range(is_there, (first.ordered_without_empty, *(key.ordered for key in others))),
            Range(first.expression.is_(None), self._order(1)),
        ]

    def _order(self, index: int) -> tuple[ColumnElement[Any], ...]:
        """The order from this key on, for a range in which the keys before it are equal."""
        return tuple(key.ordered for key in self._keys[index:])
