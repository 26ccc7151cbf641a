"""Folds shares of the log into a new build, whose tables are empty and have no indexes yet, and writes with COPY.

The fold and the rows are those of the worker; only the lookups of stored rows are left out, since there are none.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine

from ingest.log.event import Event
from ingest.log.scan import Share, by_subject, single_events, snapshot
from ingest.sqlstate import DRIVER_ERRORS
from projections.folding import quarantine, unknown_types
from projections.folding.batch import fold_or_park, refused, still_parked
from projections.folding.copy import copy
from projections.folding.outcome import Parked, Passed
from projections.folding.projection import Build, Projection, Track

_EVENTS_PER_WRITE = 5_000  # a transaction is written at this many events, or at this many bytes of bodies
_BYTES_PER_WRITE = 8_000_000


class Loading:
    """What is folded and not written yet: states per participant, parked events, passed events."""

    def __init__(self, engine: Engine, track: Track) -> None:
        self._engine = engine
        self._track = track
        self._clear()

    def _clear(self) -> None:
        self._people: list[Sequence[Any]] = []
        self._parked: list[Parked] = []
        self._passed: list[Passed] = []
        self._bytes = 0
        self._events = 0

    def add(self, events: Sequence[Event]) -> None:
        """Fold all events of one participant, in the log's order."""
        states = []
        parked = []
        for event in events:
            outcome = fold_or_park(self._track.projection, event)
            if outcome.__class__ is Passed:
                self._passed.append(outcome)
            elif outcome.__class__ is Parked:
                parked.append(outcome)
            else:
                states.append(outcome)
            self._bytes += len(event.body or b"")
        self._events += len(events)
        if parked:
            last_folded = {states[-1].participant_id: states[-1].position} if states else {}
            self._parked += still_parked(parked, last_folded)
        if states:
            self._people.append(states)

    def add_each(self, events: Sequence[Event]) -> None:
        """Fold events each of which is its participant's only event, or has no participant."""
        fold, people, parked = self._track.projection.fold, self._people, self._parked
        for event in events:
            try:
                outcome = fold(event)
            except Exception:
                outcome = fold_or_park(self._track.projection, event)
            if outcome.__class__ is Parked:
                parked.append(outcome)
            elif outcome.__class__ is Passed:
                self._passed.append(outcome)
            else:
                people.append((outcome,))
        self._events += len(events)
        self._bytes += sum([len(event.body) for event in events if event.body is not None])

    def write_if_full(self) -> int:
        """Write if there is enough for a transaction; gives the number of events written, 0 if none were."""
        return self.write() if self._events >= _EVENTS_PER_WRITE or self._bytes >= _BYTES_PER_WRITE else 0

    def write(self) -> int:
        """Write everything in one transaction; gives the number of events written.

        If the database refuses a row, write again participant by participant, and park the states that it refuses.
        """
        try:
            with self._engine.begin() as connection:
                self._copy(connection, self._people)
                self._set_aside(connection)
        except DRIVER_ERRORS as error:
            if refused(error) is None:
                raise
            with self._engine.begin() as connection:
                for states in self._people:
                    self._copy_accepted(connection, states)
                self._set_aside(connection)
        written = self._events
        self._clear()
        return written

    def _copy(self, connection: Connection, people: Sequence[Sequence[Any]]) -> None:
        for table, rows in self._track.projection.load(self._track.source, people).items():
            copy(connection, self._track.build.table(table), self._track.projection.columns[table], rows)

    def _copy_accepted(self, connection: Connection, states: Sequence[Any]) -> None:
        """Copy the rows of one participant from the states that the database accepts; park the others."""
        accepted: list[Any] = []
        for state in states:
            reason = self._refusal(connection, state)
            if reason is None:
                accepted.append(state)
            else:
                self._parked.append(Parked(state.position, state.participant_id, reason))
        if accepted:
            last_folded = {accepted[-1].participant_id: accepted[-1].position}
            self._parked = still_parked(self._parked, last_folded)
            self._copy(connection, [accepted])

    def _refusal(self, connection: Connection, state: Any) -> str | None:  # noqa: ANN401 - of the projection's type
        trial = connection.begin_nested()
        try:
            self._copy(connection, [[state]])
        except DRIVER_ERRORS as error:
            reason = refused(error)
            if reason is None:
                raise
            return reason
        finally:
            trial.rollback()
        return None

    def _set_aside(self, connection: Connection) -> None:
        quarantine.park(connection, self._track, self._parked)
        unknown_types.add(connection, self._track, self._passed)


def load_shares(
    engine: Engine,
    projection: Projection,
    build: Build,
    shares: Sequence[Share],
    advance: Callable[[int], None],
    exported: str | None = None,
) -> None:
    """Fold shares of the log into a build, as the snapshot `exported` has the log; without one, as it is now.

    `advance` gets the number of events written since its last call.
    """
    with engine.connect() as connection:
        reading = connection.connection.driver_connection
        assert isinstance(reading, psycopg.Connection)  # noqa: S101 - the driver of our engines
        try:
            with snapshot(reading, exported):
                for share in shares:
                    _load(engine, Track(projection, build, share.source), reading, share, advance)
        finally:
            connection.invalidate()  # the session has a reader's settings, so it must not go back to the pool


def _load(
    engine: Engine,
    track: Track,
    reading: psycopg.Connection[Any],
    share: Share,
    advance: Callable[[int], None],
) -> None:
    loading = Loading(engine, track)
    for events in single_events(reading, share):
        loading.add_each(events)
        advance(loading.write_if_full())
    for of_participant in _by_participant(by_subject(reading, share)):
        loading.add(of_participant)
        advance(loading.write_if_full())
    advance(loading.write())


def _by_participant(events: Iterable[list[Event]]) -> Iterable[list[Event]]:
    return (list(group) for _, group in groupby(chain.from_iterable(events), attrgetter("subject")))
