"""A participant as one event shows it: what the fold gives, and what is written. Plain data."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from ingest.delivery import JsonObject
from projections.participants.answers import Answer
from projections.participants.fields import COLUMN_NAMES

_UPDATED_AT = COLUMN_NAMES.index("updated_at")


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
