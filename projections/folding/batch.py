"""Folds the events of one source into one build: for the worker, a rebuild and a refold alike.

An event that the fold or the database refuses is parked and holds back its participant alone.
"""

import logging
from collections.abc import Sequence

from sqlalchemy import Connection

from ingest.log.event import Event
from ingest.log.read import read_after, read_without_body
from ingest.sqlstate import DRIVER_ERRORS, DriverError, blames_the_data, sqlstate
from projections.folding import checkpoint, quarantine, unknown_types
from projections.folding.outcome import Parked, Passed
from projections.folding.projection import Outcome, Projection, Track, is_folded

logger = logging.getLogger(__name__)


def fold_next(connection: Connection, track: Track, limit: int) -> int | None:
    """Fold one batch in the caller's transaction: lock the checkpoint, read past it, fold, save, move the checkpoint.

    Gives the number of events folded, 0 at the head; None if another transaction has locked the checkpoint.
    """
    position = checkpoint.try_lock(connection, track)
    if position is None:
        return None
    events = read_after(connection, track.source, position, limit)
    if events:
        unknown_types.add(connection, track, apply(connection, track, events))
        checkpoint.move(connection, track, events[-1].position)
    return len(events)


def park_next(connection: Connection, track: Track, reason: str) -> bool:
    """Park the next event without reading its body, in the caller's transaction; False if that cannot be done now."""
    position = checkpoint.try_lock(connection, track)
    following = None if position is None else read_without_body(connection, track.source, position + 1)
    if position is None or following is None:
        return False
    quarantine.park(connection, track, [Parked(position + 1, following.subject, reason)])
    checkpoint.move(connection, track, position + 1)
    return True


def apply(connection: Connection, track: Track, events: Sequence[Event]) -> list[Passed]:
    """Fold events into a build, in the order given; gives the passed ones. An event that cannot be folded is parked."""
    outcomes = [fold_or_park(track.projection, event) for event in events]
    parked = _save_all(connection, track, outcomes)
    if parked:
        reasons = sorted({event.reason for event in parked})[:5]
        fields = {
            "projection": track.projection.name,
            "source": track.source,
            "events": len(parked),
            "reasons": reasons,
        }
        logger.error("parked", extra={"fields": fields})
    return [outcome for outcome in outcomes if isinstance(outcome, Passed)]


def fold_or_park(projection: Projection, event: Event) -> Outcome:
    """The outcome of folding one event; the event is parked if the fold raises, whatever it raises."""
    try:
        return projection.fold(event)
    except Exception as error:
        return Parked(event.position, event.subject, f"the fold failed with {type(error).__name__}")


def refused(error: DriverError) -> str | None:
    """Why the database refused a row; None if the error is of another kind, such as a lost connection."""
    return f"PostgreSQL refused the row with {sqlstate(error) or 'no code'}" if blames_the_data(error) else None


def _save_all(connection: Connection, track: Track, outcomes: Sequence[Outcome]) -> list[Parked]:
    try:
        with connection.begin_nested():
            return _save(connection, track, outcomes)
    except DRIVER_ERRORS as error:
        if refused(error) is None:
            raise
    parked = []
    for outcome in outcomes:
        parked += _save_one(connection, track, outcome)
    return parked


def _save_one(connection: Connection, track: Track, outcome: Outcome) -> list[Parked]:
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
    last_folded = {state.participant_id: state.position for state in states}
    parked = still_parked([outcome for outcome in outcomes if isinstance(outcome, Parked)], last_folded)
    if states:
        track.projection.save(connection, track, states)
    quarantine.park(connection, track, parked)
    quarantine.heal(connection, track, last_folded)
    return parked


def still_parked(parked: Sequence[Parked], last_folded: dict[str, int]) -> list[Parked]:
    """The parked events that no later folded event of the same participant heals.

    `last_folded`: by participant's id, the position of the last event that was folded.
    """
    return [event for event in parked if event.position > last_folded.get(event.participant_id or "", 0)]
