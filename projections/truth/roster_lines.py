"""Reads participants of the roster as lines: all of some events with COPY, or single ones by their ids."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import error_from_result
from psycopg.generators import fetch_many
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn
from psycopg.waiting import WAIT_R
from sqlalchemy import Connection

from ingest.database import driver_connection
from projections.folding.projection import Track
from projections.participants.fields import Kind
from projections.participants.rows import ROSTER_TABLE
from projections.truth.matching import Matching
from projections.truth.values import COMPARED_KINDS

_AT_A_TIME = 1_000  # lines of one wait for the database
# Without the object nobody's event is looked up.
_EVENT = "left join readable_log e on e.source = p.source and e.position = p.position"


@dataclass(frozen=True, slots=True)
class ComparedScope:
    """Whose participants are compared: of a source at one position, of some events, or of all (None)."""

    track: Track
    position: int
    event_ids: tuple[str, ...] | None = None

    @property
    def source(self) -> str:
        return self.track.source

    @property
    def table(self) -> str:
        return self.track.build.table(ROSTER_TABLE)


class RosterLines:
    """The lines of participants that PostgreSQL is sending."""

    def __init__(self, driver: psycopg.Connection[Any]) -> None:
        self._driver = driver
        self._is_complete = False

    def ready(self, most: int) -> list[bytes]:
        """Those that have arrived by now, so many at most."""
        return self._next(most, waits=False)

    def rest(self) -> Iterator[list[bytes]]:
        """All others, in parts."""
        while not self._is_complete:
            yield self._next(_AT_A_TIME, waits=True)

    def _next(self, most: int, *, waits: bool) -> list[bytes]:
        if self._is_complete:
            return []
        lines, self._is_complete = self._driver.wait(_read(self._driver.pgconn, most, waits=waits))
        return lines


@contextmanager
def roster_lines(
    connection: Connection, scope: ComparedScope, matching: Matching, columns: Sequence[str]
) -> Iterator[RosterLines]:
    """The line of each participant of the scope; if it is not found by its id, with the id at the end."""
    of_events = "" if scope.event_ids is None else "and p.event_id = any (%(event_ids)s)"
    query = f"""
        copy (
          select {_selected(matching, columns)}
          from {scope.table} p
          {_EVENT if matching.reads_object else ""}
          where p.source = %(source)s {of_events}
        ) to stdout with (format text, null '')
    """  # noqa: S608 - our own names
    values = {"source": scope.source, "event_ids": list(scope.event_ids or ())}
    driver = driver_connection(connection)
    with driver.cursor().copy(query.encode(), values):
        yield RosterLines(driver)


def cells_by_id(
    connection: Connection, scope: ComparedScope, ids: Sequence[str], columns: Sequence[str]
) -> dict[str, list[str]]:
    """By id the values of participants of the source, of whatever event."""
    spelled = ", ".join(["p.participant_id", *map(_spelled, columns)])
    query = f"select {spelled} from {scope.table} p where p.source = %s and p.participant_id = any (%s)"  # noqa: S608
    rows = driver_connection(connection).execute(query.encode(), (scope.source, list(ids)))
    return {row[0]: ["" if value is None else str(value) for value in row[1:]] for row in rows}


def _selected(matching: Matching, columns: Sequence[str]) -> str:
    more = () if matching.is_by_id else ("p.participant_id",)
    return ", ".join([matching.in_sql, *map(_spelled, columns), *more])


def _spelled(column: str) -> str:
    """A column as most files have it. A time is written as `iso_time` does but for its fractions, in half the time."""
    if COMPARED_KINDS[column] is Kind.TIME:
        return f"replace((p.{column} at time zone 'UTC')::text, ' ', 'T') || 'Z'"
    return f"p.{column}::text"


def _read(pgconn: PGconn, most: int, *, waits: bool) -> PQGen[tuple[list[bytes], bool]]:
    """The next lines, and whether they are the last ones: one wait for many costs half of a wait for each."""
    lines: list[bytes] = []
    is_fresh = False
    while len(lines) < most:
        size, data = pgconn.get_copy_data(1)
        if size > 0:
            lines.append(bytes(data))
        elif size < 0:
            [result] = yield from fetch_many(pgconn)
            if result.status != ExecStatus.COMMAND_OK:
                raise error_from_result(result)
            return lines, True
        elif lines or (is_fresh and not waits):
            break
        else:
            while waits and not (yield WAIT_R):
                pass
            pgconn.consume_input()
            is_fresh = True
    return lines, False
