"""Moves one build of a projection along the log of one source. Whoever folds does it with this.

An event that cannot be folded parks only its participant, whether the fold, or the database, is what refuses it.
"""

import logging
from collections.abc import Sequence

from sqlalchemy import Connection

from ingest.log.event import Event
from ingest.log.read import read_after
from ingest.sqlstate import DRIVER_ERRORS, DriverError, blames_the_data, sqlstate
from projections.folding import checkpoint, quarantine, unknown_types
from projections.folding.outcome import Parked, Passed
from projections.folding.projection import Outcome, Projection, Track, is_folded

logger = logging.getLogger(__name__)


def fold_next(connection: Connection, track: Track, limit: int) -> int | None:
    """Fold one batch: take the checkpoint, read past it, fold, save, move the checkpoint, in the caller's transaction.

    Gives the number of events folded; none at the head. Null if another transaction has the checkpoint.
    """
    position = checkpoint.try_lock(connection, track)
    if position is None:
        return None
    events = read_after(connection, track.source, position, limit)
    if events:
        unknown_types.add(connection, track, apply(connection, track, events))
        checkpoint.move(connection, track, events[-1].position)
    return len(events)


def apply(connection: Connection, track: Track, events: Sequence[Event]) -> list[Passed]:
    """Fold events, in order, into a build. One that cannot be is parked alone; gives those passed."""
    outcomes = [fold_or_park(track.projection, event) for event in events]
    parked = _save_all(connection, track, outcomes)
    if parked:
        reasons = sorted({one.reason for one in parked})[:5]
        fields = {
            "projection": track.projection.name,
            "source": track.source,
            "events": len(parked),
            "reasons": reasons,
        }
        logger.error("parked", extra={"fields": fields})
    return [outcome for outcome in outcomes if isinstance(outcome, Passed)]


def fold_or_park(projection: Projection, event: Event) -> Outcome:
    """What the fold makes of an event. A fault in the fold is this event's alone."""
    try:
        return projection.fold(event)
    except Exception as error:
        return Parked(event.position, event.subject, f"the fold failed with {type(error).__name__}")


def refused(error: DriverError) -> str | None:
    """Why the database refused what it was given; None if something else is wrong, such as that it is away."""
    return f"PostgreSQL refused the row with {sqlstate(error)}" if blames_the_data(error) else None


def _save_all(connection: Connection, track: Track, outcomes: Sequence[Outcome]) -> list[Parked]:
    try:
        with connection.begin_nested():
            return _save(connection, track, outcomes)
    except DRIVER_ERRORS as error:
        if refused(error) is None:
            raise
    parked = []
    for outcome in outcomes:
        parked += _save_alone(connection, track, outcome)
    return parked


def _save_alone(connection: Connection, track: Track, outcome: Outcome) -> list[Parked]:
    try:
        with connection.begin_nested():
            return _save(connection, track, [outcome])
    except DRIVER_ERRORS as error:
        reason = refused(error)
        if reason is None or not is_folded(outcome):
            raise
        parked = [Parked(outcome.position, outcome.participant_id, reason)]
        quarantine.park(connection, track, parked)
        return parked


def _save(connection: Connection, track: Track, outcomes: Sequence[Outcome]) -> list[Parked]:
    states = [outcome for outcome in outcomes if is_folded(outcome)]
    good = {state.participant_id: state.position for state in states}
    parked = still_parked([outcome for outcome in outcomes if isinstance(outcome, Parked)], good)
    if states:
        track.projection.save(connection, track, states)
    quarantine.park(connection, track, parked)
    quarantine.heal(connection, track, good)
    return parked


def still_parked(parked: Sequence[Parked], good: dict[str, int]) -> list[Parked]:
    """Those that no later good event of the same participant has healed. `good`: id -> position of their last one."""
    return [one for one in parked if one.position > good.get(one.participant_id or "", 0)]
