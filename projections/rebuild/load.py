"""Folds a share of the log into the tables of a new build, which are empty and have no indexes yet, with COPY.

The fold and the rows are the worker's own; only that nothing has to be looked up, since nothing is there, is different.
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

_AT_A_TIME = 5_000  # participants written in one transaction
_BYTES_AT_A_TIME = 8_000_000  # of bodies that they came in


class Loading:
    """What was folded and is not written yet: rows by table, the participants they are of, and what was set aside."""

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
            last = {states[-1].participant_id: states[-1].position} if states else {}
            self._parked += still_parked(parked, last)
        if states:
            self._people.append(states)

    def add_each(self, events: Sequence[Event]) -> None:
        """Fold events each of which is the only one of its participant, or nobody's."""
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
        """Write it if it is enough for a transaction; gives the number of events it came from."""
        return self.write() if self._events >= _AT_A_TIME or self._bytes >= _BYTES_AT_A_TIME else 0

    def write(self) -> int:
        """Write it in one transaction; gives the number of events it came from."""
        try:
            with self._engine.begin() as connection:
                self._copy(connection, self._people)
                self._set_aside(connection)
        except DRIVER_ERRORS as error:
            if refused(error) is None:
                raise
            with self._engine.begin() as connection:
                for states in self._people:
                    self._copy_what_is_taken(connection, states)
                self._set_aside(connection)
        written = self._events
        self._clear()
        return written

    def _copy(self, connection: Connection, people: Sequence[Sequence[Any]]) -> None:
        for table, rows in self._track.projection.load(self._track.source, people).items():
            copy(connection, self._track.build.table(table), self._track.projection.columns[table], rows)

    def _copy_what_is_taken(self, connection: Connection, states: Sequence[Any]) -> None:
        """The participant's rows without the states that the database refuses, which are parked."""
        taken: list[Any] = []
        for state in states:
            reason = self._refusal(connection, state)
            if reason is None:
                taken.append(state)
            else:
                self._parked.append(Parked(state.position, state.participant_id, reason))
        if taken:
            good = {taken[-1].participant_id: taken[-1].position}
            self._parked = still_parked(self._parked, good)
            self._copy(connection, [taken])

    def _refusal(self, connection: Connection, state: Any) -> str | None:  # noqa: ANN401 - the projection's own
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


def load(
    engine: Engine,
    projection: Projection,
    build: Build,
    shares: Sequence[Share],
    advance: Callable[[int], None],
    exported: str | None = None,
) -> None:
    """Fold shares into a build, as the log was in an exported snapshot, or is now.

    `advance` gets the number of events done since it was last called.
    """
    with engine.connect() as connection:
        reading = connection.connection.driver_connection
        assert isinstance(reading, psycopg.Connection)  # noqa: S101 - what our engines are made of
        try:
            with snapshot(reading, exported):
                for share in shares:
                    _load(engine, Track(projection, build, share.source), reading, share, advance)
        finally:
            connection.invalidate()  # nobody else shall have it with a reader's settings


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
    for of_one in _grouped(by_subject(reading, share)):
        loading.add(of_one)
        advance(loading.write_if_full())
    advance(loading.write())


def _grouped(events: Iterable[list[Event]]) -> Iterable[list[Event]]:
    return (list(of_one) for _, of_one in groupby(chain.from_iterable(events), attrgetter("subject")))
