"""Folds one event into a participant's state, and tells the newer of two states. Pure: no database, no clock."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ingest.delivery import JsonObject, read_envelope
from ingest.log.event import Event
from projections.outcome import Parked, Passed
from projections.participants.convert import Value, WillNotConvert, convert
from projections.participants.fields import FIELDS

REGISTERED = "event.participant.created"  # the only type Movemint publishes


@dataclass(frozen=True, slots=True)
class State:
    """A participant as one event shows them: `values` has every declared column, `errors` what did not convert."""

    participant_id: str
    position: int
    received_at: datetime
    values: Mapping[str, Value | None]
    errors: Mapping[str, str]
    attributes: JsonObject

    @property
    def updated_at(self) -> datetime | None:
        found = self.values["updated_at"]
        return found if isinstance(found, datetime) else None


def fold(event: Event) -> State | Parked | Passed:
    """What an event means for the roster. Whatever the body holds, this gives an answer."""
    if event.body is None:
        return Passed(event.position, None)
    envelope = read_envelope(event.body)
    if envelope.event_type not in (None, REGISTERED):
        return Passed(event.position, envelope.event_type)
    if envelope.participant is None:
        return Parked(event.position, envelope.subject, envelope.problem or "the body has no data.object")
    if envelope.subject is None:
        return Parked(event.position, None, "the participant has no usable id")
    return _state(event, envelope.subject, envelope.participant)


def is_newer(state: State, updated_at: datetime | None, position: int) -> bool:
    """Whether a state is newer than one of this time and position: by `updated_at` if both have it, else position."""
    if state.updated_at is not None and updated_at is not None and state.updated_at != updated_at:
        return state.updated_at > updated_at
    return state.position > position


def _state(event: Event, participant_id: str, participant: JsonObject) -> State:
    values: dict[str, Value | None] = {}
    errors: dict[str, str] = {}
    for field in FIELDS:
        values[field.column] = None
        found = next((value for key in field.keys if (value := _at(participant, key)) not in (None, "")), None)
        if found is None:
            continue
        try:
            values[field.column] = convert(found, field.kind)
        except WillNotConvert as error:
            errors[field.column] = str(error)
    attributes, changed = _storable(participant)
    if changed:
        errors["attributes"] = "held NUL characters or infinite numbers; the delivery's body in the log has them"
    assert isinstance(attributes, dict)  # noqa: S101 - an object stays an object
    return State(participant_id, event.position, event.received_at, values, errors, attributes)


def _at(participant: JsonObject, path: str) -> object:
    found: object = participant
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


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
