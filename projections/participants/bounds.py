"""Bounds what one state may hold: the texts of its columns, its answers. Pure.

What is read of a delivery's body at all is bounded in `ingest.delivery`. No bound is a time, so a worker and a rebuild
come to the same state on every machine. Whatever is left out is named in `errors`.
"""

from collections.abc import Collection, Mapping

from ingest.delivery import DEEPEST_LEVEL, LARGEST_READ, MOST_VALUES
from projections.participants.answers import Answer
from projections.participants.fields import ANSWERS, COLUMN_NAMES
from projections.participants.state import State

LONGEST_TEXT = 10_000  # characters of a column, and of a question
LONGEST_ANSWER = 20_000  # characters
MOST_ANSWERS = 500  # of a participant

_IN_THE_LOG = "the delivery's body in the log has it all"
_LONG_TEXT = f"a text of more than {LONGEST_TEXT} characters; {_IN_THE_LOG}"
_LEFT_OUT = (
    f"left out, beyond what is read: {LARGEST_READ} bytes, {MOST_VALUES} values, {DEEPEST_LEVEL} levels; {_IN_THE_LOG}"
)
_MANY_ANSWERS = f"more than {MOST_ANSWERS} answers, of which the first are kept; {_IN_THE_LOG}"
_LONG_ANSWER = (
    f"an answer of more than {LONGEST_ANSWER} characters, or a question of more than {LONGEST_TEXT}; {_IN_THE_LOG}"
)


def within_bounds(state: State) -> State:
    """The state without texts that are too long and answers that are too many."""
    values, errors = list(state.values), dict(state.errors)
    for number, value in enumerate(values):
        if len(value) > LONGEST_TEXT:
            values[number] = ""
            errors[COLUMN_NAMES[number]] = _LONG_TEXT
    answers = [_short(answer) for answer in state.answers[:MOST_ANSWERS]]
    bound = _MANY_ANSWERS if len(state.answers) > MOST_ANSWERS else _LONG_ANSWER if answers != state.answers else None
    if bound is not None:
        _name(errors, ANSWERS, bound)
    return state._replace(values=values, errors=errors, answers=answers)


def name_left_out(state: State, left_out: Collection[str], first_keys: Mapping[str, Collection[str]]) -> State:
    """The state of a participant of whom keys were left out, with an error for `attributes` and each empty column.

    `first_keys`: by column, and for `answers`, the participant's keys that the value may be under.
    """
    errors = {**state.errors, "attributes": f"keys were {_LEFT_OUT}"}
    filled = {name for name, value in zip(COLUMN_NAMES, state.values, strict=True) if value}
    if state.answers:
        filled.add(ANSWERS)
    for name, keys in first_keys.items():
        if name not in filled and any(key in left_out for key in keys):
            _name(errors, name, f"a value was {_LEFT_OUT}")
    return state._replace(errors=errors)


def _name(errors: dict[str, str], column: str, reason: str) -> None:
    """Name a reason, beside another one that the column has."""
    errors[column] = f"{errors[column]}; {reason}" if column in errors else reason


def _short(answer: Answer) -> Answer:
    """The answer with a question that is cut where it is too long, and without a text that is too long."""
    question_id, question, text = answer
    return Answer(question_id, question[:LONGEST_TEXT], text if len(text) <= LONGEST_ANSWER else "")
