"""Lays observed values over a participant's object, so that the fold reads them and all else as before. Pure.

An observation knows some columns. The event that writes it down has the whole object, in which the values stand at the
keys that these columns are read from now.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial

import msgspec

from ingest.delivery import JsonObject
from ingest.exact_json import read_json
from projections.participants.convert import DAY_ALONE_LENGTH, READERS, WillNotConvert
from projections.participants.fields import ANSWERS, Field, Fields, Kind
from projections.participants.fold import path_of, value_at
from projections.participants.state import State
from projections.participants.taken import FoldInquiry

_DAY_LENGTH = len("2026-05-01")
_MOST_KEPT = 256  # sets of columns that are observed together
_SHORT = 1_500  # characters, of 6 bytes at the most, that a body gets which has room
Observed = Mapping[str, str | None]
"""By column the value as the fold converts it; None: it is observed that there is none."""


def object_in(body: bytes) -> JsonObject | None:
    """The whole participant in the body of a state, every number as it came; None if there is none."""
    try:
        participant = read_json(body)["data"]["object"]  # type: ignore[index] # anything else has no such keys
    except (ValueError, KeyError, TypeError):
        return None
    return participant if isinstance(participant, dict) else None


class _Data(msgspec.Struct):
    object: dict[str, msgspec.Raw]


class _Document(msgspec.Struct):
    data: _Data


_read_outermost = msgspec.json.Decoder(_Document).decode


def unopened_object_in(body: bytes) -> JsonObject | None:
    """As `object_in`, but each value as the JSON that it came as (`Raw`): most of them nothing is laid over."""
    try:
        body.decode()  # raises for bytes that are no text, which nobody else looks at within a value that is not opened
        participant: JsonObject = {**_read_outermost(body).data.object}
    except ValueError:
        return object_in(body)
    return participant


def _opened(participant: JsonObject, keys: Iterable[str]) -> JsonObject:
    """What is under these keys, of those that are there."""
    found = {key: participant[key] for key in keys if key in participant}
    return {key: read_json(bytes(value)) if isinstance(value, msgspec.Raw) else value for key, value in found.items()}


class Overlay:
    """Lays values over objects as the fold of these fields reads them."""

    def __init__(self, fields: Fields) -> None:
        self._all = _Laid(fields, FoldInquiry(fields))
        self._concerned = lru_cache(_MOST_KEPT)(partial(_concerned, fields))

    def laid_over(self, participant: JsonObject, observed: Observed, *, has_room: bool = False) -> JsonObject | None:
        """The object with the observed values. None if the fold would not read them, or would read others otherwise.

        Such is a key that two columns are read from, and a value that is beyond the fold's bounds. `has_room`: the body
        with the object is far within the bounds, so only the keys that these columns have to do with are asked about.
        """
        text = "".join(value or "" for value in observed.values())
        if not has_room or len(text) > _SHORT or "\\" in text:  # an escape could be read as that of NUL
            return self._all.over(_opened(participant, participant), observed)
        keys, laid = self._concerned(frozenset(observed))
        over = laid.over(_opened(participant, keys), observed)
        return None if over is None else {**participant, **over}


def _concerned(fields: Fields, columns: frozenset[str]) -> tuple[frozenset[str], "_Laid"]:
    """The outermost keys that the fold reads these columns from, and all that it reads from any of these keys."""
    outermost = {column: {key.partition(".")[0] for key in keys} for column, keys in fields.keys.items()}
    if not fields.calendar.is_utc:  # a day is that of the zone of its event
        days = [field.column for field in fields.columns if field.kind is Kind.TIME]
        outermost["event_id"].update(*(outermost[column] for column in days))
    keys: set[str] = set()
    more = set().union(*(outermost[column] for column in columns))
    while not more <= keys:
        keys |= more
        more = set().union(*(of_column for of_column in outermost.values() if of_column & keys))
    only = {column for column, of_column in outermost.items() if of_column & keys}
    inquiry = FoldInquiry(fields, None if ANSWERS in only else only)
    return frozenset(keys), _Laid(fields, inquiry, has_others=not only <= columns)


class _Laid:
    """Lays values over objects, and asks the fold whether it reads them.

    `has_others`: the inquiry is about columns that are not observed, too, which have to stay as they were.
    """

    def __init__(self, fields: Fields, inquiry: FoldInquiry, *, has_others: bool = True) -> None:
        self._fields = {field.column: field for field in fields.columns}
        self._numbers = {field.column: number for number, field in enumerate(fields.columns)}
        self._inquiry = inquiry
        self._nothing = None if has_others else inquiry.fold({})

    def over(self, participant: JsonObject, observed: Observed) -> JsonObject | None:
        before = self._nothing or self._inquiry.fold(participant)
        if before is None:
            return None
        laid = participant
        for column, value in observed.items():
            laid = next(_ways(laid, self._fields[column], value), laid)
        if self._is_as_observed(before, laid, observed):
            return laid
        if self._nothing is not None:  # something else may be named before as it is after
            before = self._inquiry.fold(participant)
            if before is None or self._is_as_observed(before, laid, observed):
                return laid if before is not None else None
        return self._one_by_one(before, participant, observed)

    def _one_by_one(self, before: State, participant: JsonObject, observed: Observed) -> JsonObject | None:
        """As `laid_over`: each column at the first of its keys that changes no other column."""
        so_far: dict[str, str | None] = {}
        for column, value in observed.items():
            so_far[column] = value
            ways = _ways(participant, self._fields[column], value)
            fitting = next((way for way in ways if self._is_as_observed(before, way, so_far)), None)
            if fitting is None:
                return None
            participant = fitting
        return participant

    def _is_as_observed(self, before: State, laid: JsonObject, observed: Observed) -> bool:
        """Whether the fold reads from the object what was observed, and everything else as before."""
        after = self._inquiry.fold(laid)
        if after is None or after.answers != before.answers:
            return False
        wanted = list(before.values)
        for column, value in observed.items():
            wanted[self._numbers[column]] = value or ""
        is_named = any(column in after.errors for column, value in observed.items() if value)
        return after.values == wanted and not is_named and _others(after, observed) == _others(before, observed)


def _others(state: State, observed: Observed) -> dict[str, str]:
    """What could not be read, but for the observed columns."""
    return {column: reason for column, reason in state.errors.items() if column not in observed}


def _ways(participant: JsonObject, field: Field, value: str | None) -> Iterator[JsonObject]:
    """The object with a value at one key of its column, the most fitting key first; without any for None."""
    if not value:
        for key in field.keys:
            if not isinstance(value_at(participant, path_of(key)), dict | None):
                participant = _with(participant, key.split("."), None)
        yield participant
        return
    for key in sorted(field.keys, key=lambda key: _fitness(participant, field.kind, key)):
        yield _with(participant, key.split("."), _as_json(field.kind, value))


def _fitness(participant: JsonObject, kind: Kind, key: str) -> int:
    """The key that the column is read from; one with an unreadable value; one in an object; a plain one; the others."""
    value = value_at(participant, path_of(key))
    if value is None or value == "":
        *above, _ = key.split(".")
        if not above:
            return 3
        is_there = isinstance(value_at(participant, path_of(".".join(above))), dict | list)
        return 2 if is_there else 4
    try:
        READERS[kind](value)
    except WillNotConvert:
        return 5 if isinstance(value, dict | list) else 1
    return 0


def _as_json(kind: Kind, value: str) -> object:
    """A converted value as the fold reads it again."""
    if kind is Kind.INTEGER:
        return int(value)
    return value[:_DAY_LENGTH] if kind is Kind.TIME and len(value) == DAY_ALONE_LENGTH else value


def _with(participant: JsonObject, keys: Sequence[str], value: object) -> JsonObject:
    """A copy of the object with a value at a path; of all that is beside the path it is the same."""
    key, *inner = keys
    return {**participant, key: _within(participant.get(key), inner, value)}


def _within(found: object, keys: Sequence[str], value: object) -> object:
    if not keys:
        return value
    if isinstance(found, list) and keys[0].isdigit() and int(keys[0]) < len(found):
        place = int(keys[0])
        return [*found[:place], _within(found[place], keys[1:], value), *found[place + 1 :]]
    return _with(found if isinstance(found, dict) else {}, keys, value)
