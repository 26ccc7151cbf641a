"""Folds events into states of participants, and tells which of two is newer. Pure: no database, no clock."""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol, cast

from ingest.delivery import JsonObject, read_envelope
from ingest.log.event import Event
from projections.folding.outcome import Parked, Passed
from projections.participants.answers import Answer, NoAnswers, read_answers
from projections.participants.convert import READERS, Reader, WillNotConvert
from projections.participants.fields import ANSWERS, COLUMN_NAMES, Fields, Kind

REGISTERED = "event.participant.created"  # the only type Movemint publishes
_UPDATED_AT = COLUMN_NAMES.index("updated_at")
_NO_KEY = chr(0xD800)  # that no participant has: half of a character, which no body that was read can hold


class State(NamedTuple):
    """A participant as one event shows them.

    `values`: every declared column in its order, as PostgreSQL reads it; empty for null. `errors`: what did not
    convert. `attributes`: null where PostgreSQL can read the object out of the event's body itself. (A tuple, since one
    is made of every event.)
    """

    participant_id: str
    position: int
    received_at: str
    values: list[str]
    errors: Mapping[str, str]
    attributes: JsonObject | None
    answers: list[Answer]

    @property
    def updated_at(self) -> datetime | None:
        found = self.values[_UPDATED_AT]
        return datetime.fromisoformat(found) if found else None


class Known(NamedTuple):
    """What decides whether a later event is newer than the state there is."""

    first_position: int
    position: int
    updated_at: datetime | None


class Lasting(NamedTuple):
    """A state that was accepted; since when the participant is known; which position ended it, 0 if none."""

    state: State
    first_position: int
    until_position: int


class Changes(NamedTuple):
    """What events come to: the newest state of each participant, those superseded meanwhile, and ends of stored ones.

    `ends`: the position at which the state there was gave way, by participant.
    """

    newest: list[Lasting]
    superseded: list[Lasting]
    ends: dict[str, int]


Fold = Callable[[Event], State | Parked | Passed]


def folding(fields: Fields) -> Fold:
    """The fold by these fields: what an event means for the roster. Whatever the body holds, it gives an answer."""
    columns = _Columns(fields)
    first, others = _paths(fields.answers)

    def read(event: Event) -> State | Parked | Passed:
        body = event.body
        if body is None:
            return Passed(event.position, None)
        event_type, subject, participant, problem, is_plain = read_envelope(body)
        if event_type is not None and event_type != REGISTERED:
            return Passed(event.position, event_type)
        if participant is None:
            return Parked(event.position, event.subject, problem or "the body has no data.object")
        if subject is None:
            return Parked(event.position, event.subject, "the participant has no usable id")
        if subject != event.subject:  # and could not be erased by it
            return Parked(event.position, event.subject, "the log has the event under another id, or under none")
        values, errors = columns.read(participant)
        answers = _answers(participant.get(first) or _at(participant, others), errors)
        if is_plain:
            return State(subject, event.position, event.received_at, values, errors, None, answers)
        return _cleaned(State(subject, event.position, event.received_at, values, errors, participant, answers))

    return read


class Dated(Protocol):
    """Anything that can be newer than what is known."""

    @property
    def position(self) -> int: ...
    @property
    def updated_at(self) -> datetime | None: ...


def is_newer(state: Dated, known: Known) -> bool:
    """Whether a state is newer than what is known: by `updated_at` if both have it, else by position."""
    if known.updated_at is not None:
        updated_at = state.updated_at
        if updated_at is not None and updated_at != known.updated_at:
            return updated_at > known.updated_at
    return state.position > known.position


def advance(states: Iterable[State], known: Mapping[str, Known]) -> Changes:
    """Take states in the log's order over what is known of their participants, one after the other.

    Not by "the newest of all": "newer" is not transitive, so only the order gives every split into batches one end.
    """
    newest: dict[str, Lasting] = {}
    superseded: list[Lasting] = []
    ends: dict[str, int] = {}
    now = dict(known)
    for state in states:
        id_ = state.participant_id
        before = now.get(id_)
        if before is not None and not is_newer(state, before):
            continue
        first = before.first_position if before else state.position
        if id_ in newest:
            superseded.append(newest[id_]._replace(until_position=state.position))
        elif before is not None:
            ends[id_] = state.position
        now[id_] = Known(first, state.position, state.updated_at)
        newest[id_] = Lasting(state, first, 0)
    return Changes(list(newest.values()), superseded, ends)


_Path = tuple[str, tuple[str, ...]]  # the first key, and those that go deeper


def _paths(keys: tuple[str, ...]) -> tuple[str, tuple[_Path, ...]]:
    """The first key, if it is one that goes no deeper: most values are there. The rest as paths."""
    paths = [(parts[0], tuple(parts[1:])) for parts in (key.split(".") for key in keys)]
    first = _NO_KEY if paths[0][1] else paths.pop(0)[0]
    return first, tuple(paths)


class _Columns:
    """The declared columns, laid out so that most of them, texts under their first key, need a look and no more."""

    def __init__(self, fields: Fields) -> None:
        paths = [_paths(field.keys) for field in fields.columns]
        self._first_keys = [first for first, _ in paths]
        every = [
            (number, field.column, others, READERS[field.kind])
            for number, (field, (_, others)) in enumerate(zip(fields.columns, paths, strict=True))
        ]
        self._texts = [one for one in every if fields.columns[one[0]].kind is Kind.TEXT]
        self._rest = [one for one in every if fields.columns[one[0]].kind is not Kind.TEXT]

    def read(self, participant: JsonObject) -> tuple[list[str], dict[str, str]]:
        """The value of each column in their order, and what did not convert, by column."""
        found = list(map(participant.get, self._first_keys))
        errors: dict[str, str] = {}
        for one in self._texts:
            value = found[one[0]]
            if value.__class__ is not str or not value:
                found[one[0]] = _read(participant, value, one, errors)
        for one in self._rest:
            found[one[0]] = _read(participant, found[one[0]], one, errors)
        return cast("list[str]", found), errors  # all of them are texts by now


def _read(
    participant: JsonObject, value: object, column: tuple[int, str, tuple[_Path, ...], Reader], errors: dict[str, str]
) -> str:
    _, name, others, read = column
    if value is None or value == "":
        value = _at(participant, others) if others else None
        if value is None:
            return ""
    try:
        return read(value)
    except WillNotConvert as error:
        errors[name] = str(error)
        return ""


def _at(participant: JsonObject, paths: tuple[_Path, ...]) -> object:
    """The first value at one of these paths; null if there is none."""
    for first, deeper in paths:
        found = participant.get(first)
        if found is None:
            continue
        for key in deeper:
            found = found.get(key) if isinstance(found, dict) else None
        if found is not None and found != "":
            return found
    return None


def _answers(given: object, errors: dict[str, str]) -> list[Answer]:
    if not given:
        return []
    try:
        return read_answers(given)
    except NoAnswers as error:
        errors[ANSWERS] = str(error)
        return []


def _cleaned(state: State) -> State:
    """The state without what PostgreSQL cannot hold: NUL characters, infinite numbers."""
    errors = dict(state.errors)
    values = list(state.values)
    for number, value in enumerate(values):
        if "\x00" in value:
            values[number] = ""
            errors[COLUMN_NAMES[number]] = "a text with a NUL character, which PostgreSQL cannot store"
    attributes, changed = _storable(state.attributes)
    if changed:
        errors["attributes"] = "held NUL characters or infinite numbers; the delivery's body in the log has them"
    assert isinstance(attributes, dict)  # noqa: S101 - an object stays an object
    answers = [Answer(*(text.replace("\x00", "\ufffd") for text in answer)) for answer in state.answers]
    return state._replace(values=values, errors=errors, attributes=attributes, answers=answers)


def _storable(value: object) -> tuple[object, bool]:
    """The value as `jsonb` can hold it, and whether that took a change: it knows no NUL character and no infinity."""
    if isinstance(value, str):
        return (value.replace("\x00", "\ufffd"), True) if "\x00" in value else (value, False)
    if isinstance(value, float) and not math.isfinite(value):
        return None, True
    if isinstance(value, dict):
        pairs = [(_storable(key), _storable(item)) for key, item in value.items()]
        changed = any(key[1] or item[1] for key, item in pairs)
        return ({str(key[0]): item[0] for key, item in pairs} if changed else value), changed
    if isinstance(value, list):
        items = [_storable(item) for item in value]
        changed = any(item[1] for item in items)
        return ([item[0] for item in items] if changed else value), changed
    return value, False
