"""Folds events into registrations: who is counted, for what, on which day. Pure: no database, no clock.

Counted is everybody on the roster, whatever became of their registration, as their newest state has it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from ingest.log.event import Event
from projections.folding.outcome import Passed
from projections.participants import fold
from projections.participants.fields import COLUMN_NAMES, Fields
from projections.participants.state import State

_EVENT_ID, _SUB_EVENT_ID, _REGISTERED_AT = (
    COLUMN_NAMES.index(name) for name in ("event_id", "sub_event_id", "registered_at")
)


class Registration(NamedTuple):
    """What one event says. `day` in UTC: of the registration if that is told, else that on which the event came."""

    participant_id: str
    position: int
    event_id: str
    sub_event_id: str
    day: str
    updated_at: datetime | None


def folding(fields: Fields) -> Callable[[Event], Registration | Passed]:
    """The fold by these fields: as the roster's, of which it keeps what is counted by."""
    roster = fold.folding(fields)

    def read(event: Event) -> Registration | Passed:
        state = roster(event)
        if not isinstance(state, State):  # the roster parks or counts it, which is enough
            return Passed(event.position, None)
        values = state.values
        day = values[_REGISTERED_AT][:10] or state.received_at[:10]
        return Registration(
            state.participant_id, state.position, values[_EVENT_ID], values[_SUB_EVENT_ID], day, state.updated_at
        )

    return read
