"""Removes from a state what PostgreSQL cannot store: NUL characters, infinite numbers. Pure.

`jsonb` has no exponents: it writes 1e300 with 301 digits. So numbers with such exponents are removed as well.
"""

import re

from pydantic_core import to_json

from ingest.exact_json import WrittenNumber, written_numbers
from projections.participants.answers import Answer
from projections.participants.fields import COLUMN_NAMES
from projections.participants.state import State

_LARGEST, _SMALLEST = 1e40, 1e-40  # of numbers with an exponent or a fraction
_LONGEST_NUMBER = 10_000  # characters; the fractions of `jsonb` have up to 16,383 digits
_REMOVED = (
    f"held NUL characters, or numbers beyond {_LARGEST:g} or {_LONGEST_NUMBER} characters; the delivery's body in the "
    "log has them"
)
_SUSPECT = re.compile(rb"\\u0000|Infinity|[0-9]e[-+]?[0-9]{2}")


def storable(state: State) -> State:
    """The state without NUL characters and infinite numbers. `errors` names the columns that lost a value."""
    errors = dict(state.errors)
    values = list(state.values)
    for number, value in enumerate(values):
        if "\x00" in value:
            values[number] = ""
            errors[COLUMN_NAMES[number]] = "a text with a NUL character, which PostgreSQL cannot store"
    attributes: object = state.attributes
    if _may_need_cleaning(state):
        attributes = _cleaned(state.attributes)
        if attributes != state.attributes:
            errors["attributes"] = _REMOVED
    assert isinstance(attributes, dict)  # noqa: S101 - an object stays an object
    answers = [Answer(*(text.replace("\x00", "\ufffd") for text in answer)) for answer in state.answers]
    return state._replace(values=values, errors=errors, attributes=attributes, answers=answers)


def _may_need_cleaning(state: State) -> bool:
    """Whether the attributes as JSON have what must be removed, or seem to: quicker than a look at every value."""
    if _SUSPECT.search(to_json(state.attributes, inf_nan_mode="constants")) is not None:
        return True
    return not all(map(_is_kept, written_numbers(state.attributes)))


def _cleaned(value: object) -> object:
    """The value as `jsonb` can store it."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {str(_cleaned(key)): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return value if not isinstance(value, float) or _is_kept(value) else None


def _is_kept(value: float) -> bool:
    digits = value.digits if isinstance(value, WrittenNumber) else ""
    if len(digits) > _LONGEST_NUMBER or (value == 0 and "e" in digits.lower()):
        return False
    return value == 0 or _SMALLEST <= abs(value) <= _LARGEST
