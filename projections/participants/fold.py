"""Folds events into states of participants. Pure: no database, no clock."""

from collections.abc import Callable
from typing import cast

from ingest.delivery import JsonObject, read_envelope
from ingest.log.event import Event
from projections.folding.outcome import Parked, Passed
from projections.participants.answers import Answer, NoAnswers, read_answers
from projections.participants.convert import READERS, Reader, WillNotConvert
from projections.participants.fields import ANSWERS, Fields, Kind
from projections.participants.state import State
from projections.participants.storable import storable

REGISTERED = "event.participant.created"  # the only type Movemint publishes
_NO_KEY = chr(0xD800)  # that no participant has: half of a character, which no body that was read can hold


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
        return storable(State(subject, event.position, event.received_at, values, errors, participant, answers))

    return read


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
