"""The rows of an export, written by PostgreSQL's COPY as CSV or as lines of JSON."""

from collections.abc import AsyncGenerator
from typing import Any

import psycopg
from psycopg import AsyncClientCursor
from sqlalchemy import ColumnElement, Select, Text, case, func, select

from projections.roster.criteria import Criteria
from projections.roster.export.formats import RUN_BY_SHEETS
from projections.roster.page import select_all
from projections.roster.participant_json import as_json, spelled
from projections.roster.reading import for_psycopg
from projections.roster.roster import Roster

_CHUNK = 65_536  # bytes
CSV = "copy ({}) to stdout with (format csv, header)"
# JSON contains neither this quote nor this delimiter, so that COPY sends each line unchanged.
_LINES = "copy ({}) to stdout with (format csv, quote e'\\x01', delimiter e'\\x02')"


async def csv(
    connection: psycopg.AsyncConnection[Any], roster: Roster, criteria: Criteria, *, keeps_formulas: bool
) -> AsyncGenerator[bytes]:
    """CSV with a header; SQL's null is an empty field.

    Unless `keeps_formulas`, texts that a spreadsheet would run get an apostrophe before them.
    """
    rows = select_all(roster, criteria, spelled if keeps_formulas else _harmless)
    async for chunk in _copied(connection, CSV, rows):
        yield chunk


async def ndjson(connection: psycopg.AsyncConnection[Any], roster: Roster, criteria: Criteria) -> AsyncGenerator[bytes]:
    """One JSON object per line, the bytes of it as in every answer."""
    participant = select_all(roster, criteria).subquery("participant")
    async for chunk in _copied(connection, _LINES, select(as_json(participant))):
        yield chunk


def _harmless(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if not isinstance(column.type, Text):
        return spelled(column)
    return case((func.left(column, 1).in_(RUN_BY_SHEETS), "'" + column), else_=column)


async def _copied(connection: psycopg.AsyncConnection[Any], statement: str, rows: Select[Any]) -> AsyncGenerator[bytes]:
    """What COPY sends, in chunks of at least `_CHUNK` bytes: PostgreSQL sends one row at a time."""
    text, values = for_psycopg(rows)
    # COPY takes no bound values: psycopg quotes them into the statement, with libpq.
    query = AsyncClientCursor(connection).mogrify(text, values)
    buffer: list[bytes] = []
    size = 0
    async with connection.cursor().copy(statement.format(query).encode()) as copying:
        async for row in copying:
            buffer.append(bytes(row))
            size += len(row)
            if size >= _CHUNK:
                yield b"".join(buffer)
                buffer, size = [], 0
    yield b"".join(buffer)
