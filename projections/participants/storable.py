"""Removes from a state what PostgreSQL cannot store: NUL characters, infinite numbers. Pure."""

import math

from projections.participants.answers import Answer
from projections.participants.fields import COLUMN_NAMES
from projections.participants.state import State


def storable(state: State) -> State:
    """The state without NUL characters and infinite numbers. `errors` names the columns that lost a value."""
    errors = dict(state.errors)
    values = list(state.values)
    for number, value in enumerate(values):
        if "\x00" in value:
            values[number] = ""
            errors[COLUMN_NAMES[number]] = "a text with a NUL character, which PostgreSQL cannot store"
    attributes, changed = _cleaned(state.attributes)
    if changed:
        errors["attributes"] = "held NUL characters or infinite numbers; the delivery's body in the log has them"
    assert isinstance(attributes, dict)  # noqa: S101 - an object stays an object
    answers = [Answer(*(text.replace("\x00", "\ufffd") for text in answer)) for answer in state.answers]
    return state._replace(values=values, errors=errors, attributes=attributes, answers=answers)


def _cleaned(value: object) -> tuple[object, bool]:
    """The value as `jsonb` can store it, and whether anything was removed from it."""
    if isinstance(value, str):
        return (value.replace("\x00", "\ufffd"), True) if "\x00" in value else (value, False)
    if isinstance(value, float) and not math.isfinite(value):
        return None, True
    if isinstance(value, dict):
        pairs = [(_cleaned(key), _cleaned(item)) for key, item in value.items()]
        changed = any(key[1] or item[1] for key, item in pairs)
        return ({str(key[0]): item[0] for key, item in pairs} if changed else value), changed
    if isinstance(value, list):
        items = [_cleaned(item) for item in value]
        changed = any(item[1] for item in items)
        return ([item[0] for item in items] if changed else value), changed
    return value, False
