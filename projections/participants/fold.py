"""Folds events into states of participants. Pure: no database, no clock."""

from collections.abc import Callable, Collection
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace
from typing import cast

from ingest.delivery import JsonObject, identifier, read_envelope
from ingest.log.event import Event
from ingest.log.own_types import PARTICIPANT_OBSERVED, PARTICIPANT_UNLISTED
from projections.folding.outcome import Parked, Passed
from projections.participants.answer_value import is_empty
from projections.participants.answers import Answer, ReadAnswers, is_whole, joined, read_answers, reason_of
from projections.participants.bounds import LONGEST_TEXT, MOST_ANSWERS, name_left_out, within_bounds
from projections.participants.convert import DAY_ALONE_LENGTH, READERS, Reader, WillNotConvert
from projections.participants.fields import ANSWERS, COLUMN_NAMES, DECLARED, Fields, Kind
from projections.participants.state import FROM_DELIVERY, FROM_OBSERVATION, State
from projections.participants.storable import storable

_EVENT_ID = COLUMN_NAMES.index("event_id")
_ANOTHER_ID = (
    "the log has the event under another id, or under none, as an earlier release read it: newer deliveries of this "
    "person are read, so it can be dismissed once there is one"
)
_MOST_DIGITS = 6  # of a place in a list
_DAY_LENGTH = len("2026-05-01")
_TIMES = [number for number, field in enumerate(DECLARED.columns) if field.kind is Kind.TIME]
REGISTERED = "event.participant.created"  # the only type Movemint publishes
_new = tuple.__new__  # of a `State`, in less than half of the time that its constructor takes
_DELIVERED = FROM_DELIVERY, ""  # `origin` and `unlisted_at`
_ABOUT_A_PARTICIPANT = (PARTICIPANT_OBSERVED, PARTICIPANT_UNLISTED)  # of the types of our own
_NO_KEY = chr(0xD800)  # an unpaired surrogate: no participant has it as a key, since no parsed body can hold it

Fold = Callable[[Event], State | Parked | Passed]


def folding(fields: Fields, only: Collection[str] | None = None) -> Fold:
    """The roster's fold for these fields. It is total: any body gives an outcome.

    `only`: of a projection that needs these columns alone; the others are empty, and there are no answers.
    """
    columns = _Columns(fields, only)
    day_begins = None if fields.calendar.is_utc else fields.calendar.day_begins()
    read_answers_of = _answers_reader(fields if only is None else replace(fields, answers=()))
    first_keys = {name: {path.split(".")[0] for path in paths} for name, paths in fields.keys.items()}
    wanted = tuple(path.split(".")[0] for paths in fields.keys.values() for path in paths)

    def read(event: Event) -> State | Parked | Passed:
        body = event.body
        if body is None:
            return Passed(event.position, None)
        event_type, subject, participant, problem, is_plain, left_out = read_envelope(body, wanted)
        if event_type is not None and event_type != REGISTERED:
            if event_type not in _ABOUT_A_PARTICIPANT or not event.is_own:
                return _passed(event, event_type)
            subject = identifier((participant or {}).get("id"))
        if participant is None or subject is None or subject != event.subject:
            return _parked(event, participant, subject, problem)
        values, errors = columns.read(participant)
        if day_begins is not None:
            _begin_days(values, day_begins)
        answers = read_answers_of(participant, errors)
        attributes = None if is_plain else participant
        origin, unlisted = _origin(event, event_type) if event.is_own else _DELIVERED
        position, received_at = event.position, event.received_at
        state = _new(
            State, (subject, position, received_at, values, errors, attributes, answers, body, origin, unlisted)
        )
        if is_plain and len(body) <= LONGEST_TEXT and len(answers) <= MOST_ANSWERS:  # no text can be too long
            return state
        state = within_bounds(state if is_plain else storable(state))
        return state if left_out is None else name_left_out(state, left_out, first_keys)

    return read


def _parked(event: Event, participant: JsonObject | None, subject: str | None, problem: str | None) -> Parked:
    """Why the event has no participant that can be folded."""
    if participant is None:
        return Parked(event.position, event.subject, problem or "the body has no data.object")
    # Of another id an erasure would not find the event.
    reason = "the participant has no usable id" if subject is None else _ANOTHER_ID
    return Parked(event.position, event.subject, reason)


def _passed(event: Event, event_type: str) -> Passed:
    """The outcome of an event about no participant. What rosterlog itself wrote is of no unknown type."""
    return Passed(event.position, None if event.is_own else event_type)


def _origin(event: Event, event_type: str | None) -> tuple[str, str]:
    """`origin` and `unlisted_at` of an event that rosterlog itself wrote."""
    return FROM_OBSERVATION, event.received_at if event_type == PARTICIPANT_UNLISTED else ""


Path = tuple[str, tuple[str, ...]]
"""The first key, and the keys inside of its object."""


def path_of(key: str) -> Path:
    """The path that a declared key is."""
    first_key, *inner_keys = key.split(".")
    return first_key, tuple(inner_keys)


def _paths(keys: tuple[str, ...]) -> tuple[str, tuple[Path, ...]]:
    """The first key, since most values are under it, or `_NO_KEY` if it has a dot; and the other keys as paths."""
    paths = [*map(path_of, keys)]
    first_key = _NO_KEY if paths[0][1] else paths.pop(0)[0]
    return first_key, tuple(paths)


class _Columns:
    """The declared columns, arranged so that a text under its column's first key, the usual case, costs one lookup."""

    def __init__(self, fields: Fields, only: Collection[str] | None) -> None:
        paths = [_paths(field.keys) for field in fields.columns]
        self._left_out = [
            number for number, field in enumerate(fields.columns) if only is not None and field.column not in only
        ]
        self._first_keys = [first_key for first_key, _ in paths]
        plain_keys = {key for field in fields.columns for key in field.keys}
        columns = [
            (number, field.column, other_paths, READERS[field.kind], _ways(other_paths, plain_keys))
            for number, (field, (first_key, other_paths)) in enumerate(zip(fields.columns, paths, strict=True))
            if number not in self._left_out
        ]
        self._texts = [column for column in columns if fields.columns[column[0]].kind is Kind.TEXT]
        self._others = [column for column in columns if fields.columns[column[0]].kind is not Kind.TEXT]

    def read(self, participant: JsonObject) -> tuple[list[str], dict[str, str]]:
        """The converted values in the columns' order, and by column why a value did not convert."""
        values = list(map(participant.get, self._first_keys))
        errors: dict[str, str] = {}
        for number in self._left_out:
            values[number] = ""
        for column in self._texts:
            value = values[column[0]]
            if value.__class__ is not str or not value:
                values[column[0]] = _read(participant, value, column, errors)
        for column in self._others:
            values[column[0]] = _read(participant, values[column[0]], column, errors)
        return cast("list[str]", values), errors  # every value is a text by now


_Column = tuple[int, str, tuple[Path, ...], Reader, tuple[tuple[str, Path, bool], ...]]
"""Its number and name, the paths beside its first key, how it is read, and the ways on which a value may be hidden."""


def _ways(paths: tuple[Path, ...], plain_keys: AbstractSet[str]) -> tuple[tuple[str, Path, bool], ...]:
    """The paths that go deeper: the first key, the path, and whether that key should have an object with id or name.

    A key that is the value of a column itself need not.
    """
    is_object = (("id",), ("name",))
    return tuple((key, (key, inner), inner in is_object and key not in plain_keys) for key, inner in paths if inner)


def _read(participant: JsonObject, value: object, column: _Column, errors: dict[str, str]) -> str:
    _, name, other_paths, read, ways = column
    if value is None or value == "":
        value = _at(participant, other_paths) if other_paths else None
        if value is None:
            for key, path, is_object in ways:
                if key in participant and (reason := _why_not_there(participant, path, is_object=is_object)):
                    errors[name] = reason
            return ""
    try:
        return read(value)
    except WillNotConvert as error:
        for path in other_paths:  # `team` may be an object, and the name in it is the value
            other = _at(participant, (path,))
            if other is not None:
                with suppress(WillNotConvert):
                    return read(other)
        errors[name] = str(error)
        return ""


def _why_not_there(participant: JsonObject, path: Path, *, is_object: bool) -> str | None:
    """Why there is nothing at a path, if a list on the way hides it. `is_object`: so does any text or number."""
    key, inner_keys = path
    value = participant[key]
    if is_object and not isinstance(value, dict) and value not in (None, "", []):
        return f"not read: {key} is not an object"
    for inner_key in inner_keys:
        if isinstance(value, list) and not is_empty(value) and not inner_key.isdecimal():
            return f"not read: {key} is not an object"
        if not isinstance(value, dict):
            return None
        key, value = f"{key}.{inner_key}", value.get(inner_key)
    return None


def _begin_days(values: list[str], day_begins: Callable[[str, str], str]) -> None:
    """Let times that came as dates alone be the midnight in the race's zone, so that the day stays what it was."""
    for number in _TIMES:
        if len(values[number]) == DAY_ALONE_LENGTH:
            values[number] = day_begins(values[_EVENT_ID], values[number][:_DAY_LENGTH])


def _at(participant: JsonObject, paths: tuple[Path, ...]) -> object:
    """The value at the first of the paths that has one; None if no path has."""
    for path in paths:
        first_key, inner_keys = path
        value = participant.get(first_key)
        if value is None:
            continue
        if inner_keys:
            value = value_at(participant, path)
        if value is not None and value != "":
            return value
    return None


def value_at(participant: JsonObject, path: Path) -> object:
    """The value at a path; None if there is none. A number in it is also the place in a list, from 0."""
    first_key, inner_keys = path
    value = participant.get(first_key)
    for key in inner_keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isascii() and key.isdigit():
            value = value[int(key)] if len(key) < _MOST_DIGITS and int(key) < len(value) else None
        else:
            return None
    return value


def _answers_reader(fields: Fields) -> Callable[[JsonObject, dict[str, str]], list[Answer]]:
    """Reads the answers under the first key that has any, with what other keys say of the same questions."""
    paths = [(path_of(key), key in fields.forms) for key in fields.answers]

    def read(participant: JsonObject, errors: dict[str, str]) -> list[Answer]:
        so_far: ReadAnswers | None = None
        are_forms = True  # all that was read so far
        for path, is_form in paths:
            value = value_at(participant, path) if path[1] else participant.get(path[0])
            if not value:
                if path[0] in participant and (hidden := _why_not_there(participant, path, is_object=False)):
                    errors[ANSWERS] = hidden
                continue
            reading = read_answers(value, is_form=is_form)
            so_far = reading if so_far is None else joined(so_far, reading, are_forms=(are_forms, is_form))
            if is_whole(so_far):
                break
            are_forms = are_forms and is_form
        if so_far is None:
            return []
        answers, unread = so_far
        if any(each.answer for each in answers):
            errors.pop(ANSWERS, None)  # another key has them
        if unread and (reason := reason_of(unread)):
            errors[ANSWERS] = reason
        return answers

    return read
