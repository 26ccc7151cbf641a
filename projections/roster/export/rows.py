"""The rows of an export, as PostgreSQL writes them: everybody who meets the criteria, as CSV or as lines of JSON."""

from collections.abc import AsyncGenerator
from typing import Any

import psycopg
from psycopg import AsyncClientCursor
from sqlalchemy import ColumnElement, Select, Text, case, func, select

from projections.roster.criteria import Criteria
from projections.roster.export.formats import RUN_BY_SHEETS
from projections.roster.page import for_psycopg, select_all
from projections.roster.roster import Roster

_CHUNK = 65_536  # bytes
CSV = "copy ({}) to stdout with (format csv, header)"
# A quote and a delimiter that no JSON has, so that each line is sent as it is.
_LINES = "copy ({}) to stdout with (format csv, quote e'\\x01', delimiter e'\\x02')"


async def csv(
    connection: psycopg.AsyncConnection[Any], roster: Roster, criteria: Criteria, *, keeps_formulas: bool
) -> AsyncGenerator[bytes]:
    """CSV with a head of names, null as nothing. Texts that a spreadsheet would run get an apostrophe before them."""
    found = select_all(roster, criteria, _harmless) if not keeps_formulas else select_all(roster, criteria)
    async for chunk in _copied(connection, CSV, found):
        yield chunk


async def ndjson(connection: psycopg.AsyncConnection[Any], roster: Roster, criteria: Criteria) -> AsyncGenerator[bytes]:
    """One JSON object a line."""
    inner = select_all(roster, criteria).subquery("r")
    async for chunk in _copied(connection, _LINES, select(func.row_to_json(inner.table_valued()))):
        yield chunk


def _harmless(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if not isinstance(column.type, Text):
        return column
    return case((func.left(column, 1).in_(RUN_BY_SHEETS), "'" + column), else_=column)


async def _copied(connection: psycopg.AsyncConnection[Any], statement: str, rows: Select[Any]) -> AsyncGenerator[bytes]:
    """What PostgreSQL sends, in chunks of a size that is worth sending on: it sends a row at a time."""
    text, values = for_psycopg(rows)
    # COPY takes no parameters: they are written into the statement, as PostgreSQL's own library quotes them.
    query = AsyncClientCursor(connection).mogrify(text, values)
    waiting: list[bytes] = []
    size = 0
    async with connection.cursor().copy(statement.format(query).encode()) as copying:
        async for row in copying:
            waiting.append(bytes(row))
            size += len(row)
            if size >= _CHUNK:
                yield b"".join(waiting)
                waiting, size = [], 0
    yield b"".join(waiting)
