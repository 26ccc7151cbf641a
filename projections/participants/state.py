"""The state of a participant as one event shows it: the fold's outcome, which rows are made of. Plain data."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from ingest.delivery import JsonObject
from projections.participants.answers import Answer
from projections.participants.fields import COLUMN_NAMES

_UPDATED_AT = COLUMN_NAMES.index("updated_at")


class State(NamedTuple):
    """A participant as one event shows it. A tuple, because a fold makes one per event.

    `values`: the declared columns in their order, as texts that PostgreSQL reads; empty for null. `errors`: by column,
    why a value did not convert. `attributes`: None where PostgreSQL can read `data.object` from the event's body.
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
        value = self.values[_UPDATED_AT]
        return datetime.fromisoformat(value) if value else None
