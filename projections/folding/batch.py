"""Folds the events of one source into one build: for the worker, a rebuild and a refold alike.

An event that the fold or the database refuses is parked and holds back its participant alone.
"""

import logging
from collections.abc import Sequence

from sqlalchemy import Connection

from ingest.log.event import Event
from ingest.log.read import read_after, read_after_each, read_without_body
from ingest.sqlstate import DRIVER_ERRORS, DriverError, blames_the_data, sqlstate
from projections.folding import checkpoint, quarantine, unknown_types
from projections.folding.outcome import Parked, Passed
from projections.folding.projection import Build, Outcome, Projection, Track, is_folded

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


def fold_shared(
    connection: Connection, projection: Projection, build: Build, sources: Sequence[str], limit: int
) -> dict[str, int]:
    """Fold the next events of several sources, up to `limit` of each, in the caller's transaction.

    Gives the number of events by source, without the sources of which another transaction has locked the checkpoint.
    An event that the database refuses is not parked here: it raises, and each source has to be folded by itself.
    """
    positions = checkpoint.try_lock_each(connection, build, sources)
    following = read_after_each(connection, positions, limit) if positions else {}
    if following:
        had_parked = quarantine.parked_in(connection, build, following)
        for source, events in following.items():
            track = Track(projection, build, source)
            outcomes = [fold_or_park(projection, event) for event in events]
            parked = _write(connection, track, outcomes)
            if source in had_parked:
                quarantine.heal(connection, track, _last_folded(outcomes))
            _say_parked(track, parked)
            unknown_types.add(connection, track, _passed(outcomes))
        last = {source: events[-1].position for source, events in following.items()}
        checkpoint.move_each(connection, build, last)
    return {source: len(following.get(source, ())) for source in positions}


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
    _say_parked(track, _save_all(connection, track, outcomes))
    return _passed(outcomes)


def _say_parked(track: Track, parked: Sequence[Parked]) -> None:
    if parked:
        reasons = sorted({event.reason for event in parked})[:5]
        fields = {
            "projection": track.projection.name,
            "source": track.source,
            "events": len(parked),
            "reasons": reasons,
        }
        logger.error("parked", extra={"fields": fields})


def _passed(outcomes: Sequence[Outcome]) -> list[Passed]:
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
    parked = _write(connection, track, outcomes)
    quarantine.heal(connection, track, _last_folded(outcomes))
    return parked


def _write(connection: Connection, track: Track, outcomes: Sequence[Outcome]) -> list[Parked]:
    states = [outcome for outcome in outcomes if is_folded(outcome)]
    if states:
        track.projection.save(connection, track, states)
    parked = still_parked([outcome for outcome in outcomes if isinstance(outcome, Parked)], _last_folded(outcomes))
    quarantine.park(connection, track, parked)
    return parked


def _last_folded(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """By participant's id, the position of the last event that was folded."""
    return {outcome.participant_id: outcome.position for outcome in outcomes if is_folded(outcome)}


def still_parked(parked: Sequence[Parked], last_folded: dict[str, int]) -> list[Parked]:
    """The parked events that no later folded event of the same participant heals.

    `last_folded`: by participant's id, the position of the last event that was folded.
    """
    return [event for event in parked if event.position > last_folded.get(event.participant_id or "", 0)]
