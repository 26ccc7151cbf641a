"""Moves one build of a projection along the log of one source. Whoever folds does it with this.

An event that cannot be folded parks only its participant, whether the fold, or the database, is what refuses it.
"""

import logging
from collections.abc import Sequence

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ingest.log.event import Event
from ingest.log.read import read_after
from projections import checkpoint, passed, quarantine
from projections.builds import Build
from projections.outcome import Parked, Passed
from projections.projection import Outcome, Projection, is_folded

log = logging.getLogger(__name__)

# SQLSTATE classes that blame the data: bad values, broken constraints, limits of a row or an index.
_BLAMES_THE_DATA = ("22", "23", "54")


def advance(connection: Connection, projection: Projection, build: Build, source: str, limit: int) -> int | None:
    """Fold one batch: take the checkpoint, read past it, fold, save, move the checkpoint, in the caller's transaction.

    Gives the number of events folded; none at the head. Null if another transaction has the checkpoint.
    """
    position = checkpoint.take(connection, build, source)
    if position is None:
        return None
    events = read_after(connection, source, position, limit)
    if events:
        passed.count(connection, build, source, apply(connection, projection, build, source, events))
        checkpoint.move(connection, build, source, events[-1].position)
    return len(events)


def apply(
    connection: Connection, projection: Projection, build: Build, source: str, events: Sequence[Event]
) -> list[Passed]:
    """Fold events, in order, into a build. One that cannot be is parked alone; gives those passed."""
    outcomes = [fold_or_park(projection, event) for event in events]
    parked = _save_all(connection, projection, build, source, outcomes)
    if parked:
        reasons = sorted({one.reason for one in parked})[:5]
        fields = {"projection": projection.name, "source": source, "events": len(parked), "reasons": reasons}
        log.error("parked", extra={"fields": fields})
    return [outcome for outcome in outcomes if isinstance(outcome, Passed)]


def fold_or_park(projection: Projection, event: Event) -> Outcome:
    """What the fold makes of an event. A fault in the fold is this event's alone."""
    try:
        return projection.fold(event)
    except Exception as error:
        return Parked(event.position, event.subject, f"the fold failed with {type(error).__name__}")


def refused(error: DBAPIError | psycopg.Error) -> str | None:
    """Why the database refused what it was given; null if something else is wrong, such as that it is away."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(cause, "sqlstate", None) or ""
    return f"PostgreSQL refused the row with {state}" if state[:2] in _BLAMES_THE_DATA else None


def _save_all(
    connection: Connection, projection: Projection, build: Build, source: str, outcomes: Sequence[Outcome]
) -> list[Parked]:
    try:
        with connection.begin_nested():
            return _save(connection, projection, build, source, outcomes)
    except (DBAPIError, psycopg.Error) as error:
        if refused(error) is None:
            raise
    parked = []
    for outcome in outcomes:
        parked += _save_alone(connection, projection, build, source, outcome)
    return parked


def _save_alone(
    connection: Connection, projection: Projection, build: Build, source: str, outcome: Outcome
) -> list[Parked]:
    try:
        with connection.begin_nested():
            return _save(connection, projection, build, source, [outcome])
    except (DBAPIError, psycopg.Error) as error:
        reason = refused(error)
        if reason is None or not is_folded(outcome):
            raise
        parked = [Parked(outcome.position, outcome.participant_id, reason)]
        quarantine.park(connection, build, source, parked)
        return parked


def _save(
    connection: Connection, projection: Projection, build: Build, source: str, outcomes: Sequence[Outcome]
) -> list[Parked]:
    states = [outcome for outcome in outcomes if is_folded(outcome)]
    good = {state.participant_id: state.position for state in states}
    parked = still_parked([outcome for outcome in outcomes if isinstance(outcome, Parked)], good)
    if states:
        projection.save(connection, build, source, states)
    quarantine.park(connection, build, source, parked)
    quarantine.heal(connection, build, source, good)
    return parked


def still_parked(parked: Sequence[Parked], good: dict[str, int]) -> list[Parked]:
    """Those that no later good event of the same participant has healed. `good`: id -> position of their last one."""
    return [one for one in parked if one.position > good.get(one.participant_id or "", 0)]
