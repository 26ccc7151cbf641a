"""The state of a participant as one event shows it: the fold's outcome, which rows are made of. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from ingest.delivery import JsonObject, read_envelope
from ingest.exact_json import write_json
from ingest.log.own_types import PARTICIPANT_UNLISTED
from projections.participants.answers import Answer
from projections.participants.fields import COLUMN_NAMES

LONGEST_COMPARED = 32_768  # bytes of a body: those of a batch's people are read once more
FROM_DELIVERY, FROM_OBSERVATION = "delivery", "observation"  # the column `origin`
_UNLISTED = b"unlisted "  # no JSON begins like this
_UPDATED_AT = COLUMN_NAMES.index("updated_at")


class State(NamedTuple):
    """A participant as one event shows it. A tuple, because a fold makes one per event.

    `values`: the declared columns in their order, as texts that PostgreSQL reads; empty for null. `errors`: by column,
    why a value did not convert. `attributes`: None where PostgreSQL can read `data.object` from the event's body, the
    `body`. `unlisted_at`: when it was observed that the source does not list the participant; empty if it does.
    """

    participant_id: str
    position: int
    received_at: str
    values: list[str]
    errors: Mapping[str, str]
    attributes: JsonObject | None
    answers: list[Answer]
    body: bytes
    origin: str
    unlisted_at: str

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
    """The content of the state that is folded from this body.

    That a participant is not listed is a part of it: the next state says that the participant is there again.
    """
    if len(body) > LONGEST_COMPARED:
        return None
    envelope = read_envelope(body)
    if not envelope.is_plain or envelope.left_out is not None:
        return None
    said = write_json(envelope.participant)
    return _UNLISTED + said if envelope.event_type == PARTICIPANT_UNLISTED else said
