"""The state of a participant as one event shows it: the fold's outcome, which rows are made of. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from ingest.delivery import JsonObject, read_envelope, write_json
from projections.participants.answers import Answer
from projections.participants.fields import COLUMN_NAMES

_UPDATED_AT = COLUMN_NAMES.index("updated_at")


class State(NamedTuple):
    """A participant as one event shows it. A tuple, because a fold makes one per event.

    `values`: the declared columns in their order, as texts that PostgreSQL reads; empty for null. `errors`: by column,
    why a value did not convert. `attributes`: None where PostgreSQL can read `data.object` from the event's body, the
    `body`.
    """

    participant_id: str
    position: int
    received_at: str
    values: list[str]
    errors: Mapping[str, str]
    attributes: JsonObject | None
    answers: list[Answer]
    body: bytes

    @property
    def updated_at(self) -> datetime | None:
        value = self.values[_UPDATED_AT]
        return datetime.fromisoformat(value) if value else None


def say_the_same(before: State, after: State) -> bool:
    """Whether nothing of a participant differs between two states. What is beside `data.object` does not count."""
    return (
        before.values == after.values
        and before.answers == after.answers
        and before.errors == after.errors
        and len(before.body) <= longest_compared(after)
        and _object(before) == _object(after)
    )


def longest_compared(state: State) -> int:
    """Of how many bytes the body of another state may be to be compared with this one. A batch has few bytes, too."""
    return 2 * len(state.body)


def _object(state: State) -> bytes:
    if state.attributes is not None:
        return write_json(state.attributes)
    return write_json(read_envelope(state.body).participant)
