"""Finds out what really arrives under `data.object`: which keys, how often, of which types, and what became of them.

It is shown events one after the other. No value is kept, only its shape: letters as a, digits as 9. No database.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ingest.delivery import read_envelope
from ingest.log.event import Event
from projections.participants.fields import ANSWERS, Fields
from projections.participants.fold import REGISTERED, folding
from projections.participants.state import State

MOST_PATHS = 2_000  # keys that are told apart; a map by ids could have as many as there are events
_MOST_SHAPES = 3
_LONGEST_SHAPE = 40
_TYPES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
    dict: "object",
    list: "array",
}


@dataclass(slots=True)
class FoundKey:
    """One key, `a.b` if it is nested, `a[]` for what is in a list: in how many events, with which types and shapes.

    `columns`: which take their value from here. `unconverted`: in how many events that failed, by column.
    """

    path: str
    events: int = 0
    types: Counter[str] = field(default_factory=Counter)
    shapes: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    unconverted: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, object]:
        return {
            "key": self.path,
            "events": self.events,
            "types": dict(self.types),
            "shapes": self.shapes,
            "columns": self.columns,
            "unconverted": dict(self.unconverted),
        }


class Discovery:
    """What was seen so far. `unread`: events without a readable participant. `left_out`: keys beyond the limit."""

    def __init__(self, fields: Fields) -> None:
        self.events = 0
        self.unread = 0
        self.erased = 0
        self.left_out = 0
        self.other_types: Counter[str] = Counter()
        self._fold = folding(fields)
        self._fields = fields
        self._keys: dict[str, FoundKey] = {}
        self._columns = _columns_by_path(fields)

    @property
    def keys(self) -> list[FoundKey]:
        """Every key, the most frequent first."""
        return sorted(self._keys.values(), key=lambda key: (-key.events, key.path))

    @property
    def unmapped(self) -> list[str]:
        """The keys that hold values of their own and that no column takes."""
        return [key.path for key in self.keys if not key.columns and not set(key.types) <= {"object", "array", "null"}]

    @property
    def empty_columns(self) -> list[str]:
        """The columns for which no event had any key."""
        found = {column for key in self._keys.values() for column in key.columns}
        return [column for column in self._fields.keys if column not in found]

    def add(self, event: Event) -> None:
        """Look at one event."""
        if event.body is None:
            self.erased += 1
            return
        envelope = read_envelope(event.body)
        if envelope.event_type not in (None, REGISTERED):
            self.other_types[str(envelope.event_type)] += 1
        elif envelope.participant is None:
            self.unread += 1
        else:
            self.events += 1
            self._add_values(envelope.participant)
            self._add_errors(envelope.participant, self._fold(event))

    def _add_values(self, participant: Mapping[str, object]) -> None:
        paths = set()
        for path, value in _walk("", participant):
            key = self._key(path)
            if key is None:
                self.left_out += 1
                continue
            if path not in paths:
                paths.add(path)
                key.events += 1
            key.types[_TYPES.get(type(value), "number")] += 1
            if len(key.shapes) < _MOST_SHAPES and (shape := _shape(value)) and shape not in key.shapes:
                key.shapes.append(shape)

    def _add_errors(self, participant: Mapping[str, object], folded: object) -> None:
        if not isinstance(folded, State):
            return
        for column in folded.errors:
            for path in self._fields.keys.get(column, ()):
                if _at(participant, path) not in (None, ""):
                    if path in self._keys:
                        self._keys[path].unconverted[column] += 1
                    break

    def _key(self, path: str) -> FoundKey | None:
        found = self._keys.get(path)
        if found is None and len(self._keys) < MOST_PATHS:
            found = self._keys[path] = FoundKey(path, columns=self._columns_of(path))
        return found

    def _columns_of(self, path: str) -> list[str]:
        """What takes its value from here; of an answer every part does."""
        if any(path.startswith((f"{key}[", f"{key}.")) for key in self._fields.answers):
            return [ANSWERS]
        return self._columns.get(path, [])


def _walk(prefix: str, value: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, item in value.items():
        path = f"{prefix}{key}"
        yield path, item
        if isinstance(item, dict):
            yield from _walk(f"{path}.", item)
        elif isinstance(item, list):
            for one in item:
                yield f"{path}[]", one
                if isinstance(one, dict):
                    yield from _walk(f"{path}[].", one)


def _at(participant: Mapping[str, object], path: str) -> object:
    found: object = participant
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _shape(value: object) -> str:
    """How a value looks, not what it is: letters as one a, each digit as 9, ASCII signs as they are, all else as a ?.

    Of numbers their type says enough.
    """
    if not isinstance(value, str):
        return ""
    shape = "".join(_sign(letter) for letter in value[:_LONGEST_SHAPE])
    while "aa" in shape:
        shape = shape.replace("aa", "a")
    return shape if len(value) <= _LONGEST_SHAPE else f"{shape}…"


def _sign(letter: str) -> str:
    kind = unicodedata.category(letter)[0]
    if kind in "LM":  # a mark belongs to its letter
        return "a"
    if kind == "N":
        return "9"
    return letter if letter.isascii() and letter.isprintable() else "?"


def _columns_by_path(fields: Fields) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"id": ["participant_id"]}
    for column, keys in fields.keys.items():
        for key in keys:
            found.setdefault(key, []).append(column)
    return found
