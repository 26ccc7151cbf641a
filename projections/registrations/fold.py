"""Folds events into registrations: a participant's race, sub-event and day. Pure: no database, no clock.

Every participant on the roster is counted by the newest state, whatever the status of the registration.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from ingest.log.event import Event
from projections.folding.outcome import Passed
from projections.participants import fold
from projections.participants.fields import COLUMN_NAMES, Fields
from projections.participants.state import State

_COUNTED_BY = ("event_id", "sub_event_id", "registered_at")
_READ = (*_COUNTED_BY, "updated_at")
_EVENT_ID, _SUB_EVENT_ID, _REGISTERED_AT = map(COLUMN_NAMES.index, _COUNTED_BY)


class Registration(NamedTuple):
    """A registration as one event shows it. `day`: of `registered_at`, else of the arrival, in the race's zone."""

    participant_id: str
    position: int
    event_id: str
    sub_event_id: str
    day: str
    updated_at: datetime | None


def counted_content(registration: Registration) -> tuple[object, ...]:
    """What a registration says: everything but the position from which it does."""
    return registration[2:]


def folding(fields: Fields, shared: fold.Fold | None = None) -> Callable[[Event], Registration | Passed]:
    """The fold for these fields: of the roster's, `shared` if there is one, what the counts need."""
    fold_roster = shared or fold.folding(fields, _READ)
    day_of = fields.calendar.local_day()

    def read(event: Event) -> Registration | Passed:
        state = fold_roster(event)
        if not isinstance(state, State):  # parked, or counted as an unknown type, by the roster alone
            return Passed(event.position, None)
        values = state.values
        day = day_of(values[_EVENT_ID], values[_REGISTERED_AT] or state.received_at)
        return Registration(
            state.participant_id, state.position, values[_EVENT_ID], values[_SUB_EVENT_ID], day, state.updated_at
        )

    return read
