"""The state of a participant as one event shows it: the fold's outcome, which rows are made of. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from ingest.delivery import JsonObject, read_envelope
from ingest.exact_json import write_json
from projections.participants.answers import Answer
from projections.participants.fields import COLUMN_NAMES

LONGEST_COMPARED = 32_768  # bytes of a body: those of a batch's people are read once more
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


def content_of(state: State) -> bytes | None:
    """Everything that a state says of the participant: two with the same content have the same rows.

    None if it is not compared with another one's, so that the state is written in any case.
    """
    return content_in(state.body)


def content_in(body: bytes) -> bytes | None:
    """The content of the state that is folded from this body."""
    if len(body) > LONGEST_COMPARED:
        return None
    envelope = read_envelope(body)
    return write_json(envelope.participant) if envelope.is_plain and envelope.left_out is None else None
