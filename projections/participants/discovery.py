"""Discovers what arrives under `data.object`: which keys, how often, with which types, and which columns read them.

No value is kept, only its shape: letters as a, digits as 9. No database.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ingest.delivery import JsonObject, read_envelope
from ingest.log.event import Event
from projections.participants.fields import ANSWERS, Fields
from projections.participants.fold import REGISTERED
from projections.participants.taken import ID_COLUMN, ID_KEY, FoldInquiry, Steps, steps_of

MOST_PATHS = 2_000  # an object whose keys are ids could bring as many keys as there are events
LONGEST_PATH = 200  # characters; each key of nested objects repeats those above it
MOST_TYPES = 1_000  # of events
_OTHER_TYPES = "(others)"
_MOST_SHAPES = 3
_MOST_LOOKS = 1_000  # at a key within answers that nothing is taken from
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
    """One key, `a.b` if it is nested, `a[]` for the items of a list: in how many events, with which types and shapes.

    A key with a dot or brackets of its own is in quotes: `"Dr. name"`. `has_value`: whether it ever was other than
    null and blanks. `taken`: by column, in how many events the fold took the column's value from here. `unconverted`:
    by column, in how many the value did not convert. `declared`: the columns that would read the key.

    A key within answers is taken by `answers` if one event's answers would be others without it; `looks`: how many
    events were asked.
    """

    path: str
    events: int = 0
    types: Counter[str] = field(default_factory=Counter)
    shapes: list[str] = field(default_factory=list)
    declared: list[str] = field(default_factory=list)
    taken: Counter[str] = field(default_factory=Counter)
    unconverted: Counter[str] = field(default_factory=Counter)
    looks: int = 0
    has_value: bool = False

    @property
    def columns(self) -> list[str]:
        """The columns that the fold reads from this key; of a key that never had a value, those that would."""
        if not self.has_value:
            return self.declared
        return list(self.taken | self.unconverted)

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
    """The keys of the events added so far.

    `unread`: events without a readable participant. `left_out`: values under keys beyond `MOST_PATHS` or longer than
    `LONGEST_PATH`, and one for each participant that was read in part. Of event types beyond `MOST_TYPES`, one count.
    """

    def __init__(self, fields: Fields) -> None:
        self.events = 0
        self.unread = 0
        self.erased = 0
        self.left_out = 0
        self.other_types: Counter[str] = Counter()
        self._inquiry = FoldInquiry(fields)
        self._fields = fields
        self._keys: dict[Steps, FoundKey] = {}
        self._columns = _columns_by_path(fields)

    @property
    def keys(self) -> list[FoundKey]:
        """Every key, the most frequent first."""
        return sorted(self._keys.values(), key=lambda key: (-key.events, key.path))

    @property
    def unmapped(self) -> list[str]:
        """The keys with values other than object, array and null that no column reads."""
        return [key.path for key in self.keys if not key.columns and not set(key.types) <= {"object", "array", "null"}]

    @property
    def empty_columns(self) -> list[str]:
        """The columns whose keys no event had."""
        filled = {column for key in self._keys.values() for column in key.columns}
        return [column for column in self._fields.keys if column not in filled]

    def add(self, event: Event) -> None:
        """Count the keys of one event. What rosterlog wrote itself did not arrive."""
        if event.is_own:
            return
        if event.body is None:
            self.erased += 1
            return
        envelope = read_envelope(event.body)
        if envelope.event_type not in (None, REGISTERED):
            event_type = str(envelope.event_type)
            is_counted = event_type in self.other_types or len(self.other_types) < MOST_TYPES
            self.other_types[event_type if is_counted else _OTHER_TYPES] += 1
        elif envelope.participant is None:
            self.unread += 1
        else:
            self.events += 1
            self.left_out += envelope.left_out is not None
            self._ask(envelope.participant, self._add_values(envelope.participant))

    def _add_values(self, participant: Mapping[str, object]) -> Iterable[Steps]:
        """Count the keys of a participant, and give their steps in the order in which they are sent."""
        counted: dict[Steps, None] = {}
        for steps, path, value in _walk((), "", participant):
            key = self._key(steps, path) if len(path) <= LONGEST_PATH else None
            if key is None:
                self.left_out += 1
                continue
            if steps not in counted:
                counted[steps] = None
                key.events += 1
            key.types[_TYPES.get(type(value), "number")] += 1
            key.has_value = key.has_value or not (value is None or (isinstance(value, str) and not value.strip()))
            if len(key.shapes) < _MOST_SHAPES and (shape := _shape(value)) and shape not in key.shapes:
                key.shapes.append(shape)
        return counted

    def _ask(self, participant: JsonObject, counted: Iterable[Steps]) -> None:
        state = self._inquiry.fold(participant)
        if state is None:
            return
        for column, declared in self._inquiry.taken(participant, state):
            if key := self._found(declared):
                key.taken[column] += 1
            if column == ANSWERS:
                self._ask_within(participant, declared, counted)
        for column, declared in self._inquiry.unread(participant, state):
            if key := self._found(declared):
                key.unconverted[column] += 1

    def _ask_within(self, participant: JsonObject, declared: str, counted: Iterable[Steps]) -> None:
        """Ask which of the keys within the answers the answers were taken from."""
        answers = steps_of(declared)
        depth = len(answers)
        within = [steps for steps in counted if len(steps) > depth and steps[:depth] == answers]
        asked = [steps for steps in within if not self._keys[steps].taken and self._keys[steps].looks < _MOST_LOOKS]
        for steps in asked:
            self._keys[steps].looks += 1
        for inner in self._inquiry.taken_within(participant, declared, [steps[depth:] for steps in asked]):
            self._keys[answers + inner].taken[ANSWERS] += 1

    def _found(self, declared: str) -> FoundKey | None:
        """The key that was found for a declared one, in which a number may be a place in a list."""
        first, *inner = steps_of(declared)
        in_lists = (first, *(None if step is None or (step.isascii() and step.isdigit()) else step for step in inner))
        return self._keys.get(steps_of(declared)) or self._keys.get(in_lists)

    def _key(self, steps: Steps, path: str) -> FoundKey | None:
        key = self._keys.get(steps)
        if key is None and len(self._keys) < MOST_PATHS:
            key = self._keys[steps] = FoundKey(path, declared=self._columns.get(steps, []))
        return key


def _walk(steps: Steps, path: str, value: object) -> Iterator[tuple[Steps, str, object]]:
    """The steps to each value within a value, and how they are shown."""
    if isinstance(value, dict):
        inner: Iterable[tuple[str | None, str, object]] = (
            (key, f"{path}.{_quoted(key)}" if path else _quoted(key), item) for key, item in value.items()
        )
    else:
        inner = (
            ((None, f"{path}[]", item) for item in value) if isinstance(value, list) and steps[-1] is not None else ()
        )
    for step, inner_path, item in inner:
        yield (*steps, step), inner_path, item
        if len(inner_path) <= LONGEST_PATH:
            yield from _walk((*steps, step), inner_path, item)


def _quoted(key: str) -> str:
    return f'"{key}"' if "." in key or "[]" in key else key


def _shape(value: object) -> str:
    """The shape of a text: a run of letters as one a, each digit as 9, other ASCII as it is, all else as ?.

    Other values have no shape: their type says enough.
    """
    if not isinstance(value, str):
        return ""
    shape = "".join(_sign(character) for character in value[:_LONGEST_SHAPE])
    while "aa" in shape:
        shape = shape.replace("aa", "a")
    return shape if len(value) <= _LONGEST_SHAPE else f"{shape}…"


def _sign(character: str) -> str:
    kind = unicodedata.category(character)[0]
    if kind in "LM":  # a combining mark belongs to its letter
        return "a"
    if kind == "N":
        return "9"
    return character if character.isascii() and character.isprintable() else "?"


def _columns_by_path(fields: Fields) -> dict[Steps, list[str]]:
    columns: dict[Steps, list[str]] = {(ID_KEY,): [ID_COLUMN]}
    for column, keys in fields.keys.items():
        for key in keys:
            columns.setdefault(steps_of(key), []).append(column)
    return columns
