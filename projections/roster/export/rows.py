"""The rows of an export, written by PostgreSQL's COPY as CSV or as lines of JSON."""

import codecs
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import psycopg
from psycopg import AsyncClientCursor, sql
from psycopg.abc import PQGen
from psycopg.generators import copy_from
from psycopg.pq.abc import PGconn
from sqlalchemy import JSON, Select, select

from projections.roster.criteria import Criteria
from projections.roster.export.formats import Dialect
from projections.roster.export.guarded_rows import RowGuard
from projections.roster.page import select_all
from projections.roster.participant_json import as_json
from projections.roster.reading import for_psycopg
from projections.roster.roster import Roster

_CHUNK = 65_536  # bytes
# JSON contains neither this quote nor this delimiter, so that COPY sends each line unchanged.
_LINES = "copy ({}) to stdout with (format csv, quote e'\\x01', delimiter e'\\x02')"
_Join = Callable[[Sequence[bytes | memoryview]], bytes]


async def csv(
    connection: psycopg.AsyncConnection[Any], roster: Roster, criteria: Criteria, dialect: Dialect
) -> AsyncGenerator[bytes]:
    """CSV with a header; SQL's null is an empty field.

    Unless the dialect keeps formulas, texts that a spreadsheet would run are made harmless, as `guard` says.
    """
    rows = select_all(roster, criteria)
    begin = codecs.BOM_UTF8 if dialect.has_bom else b""
    async for chunk in _copied(connection, copy_csv(dialect), rows, _join(rows, dialect)):
        yield begin + chunk
        begin = b""


def copy_csv(dialect: Dialect) -> str:
    """The statement that writes CSV; the query goes in the place of `{}`."""
    return f"copy ({{}}) to stdout with (format csv, header, delimiter {sql.Literal(dialect.separator).as_string()})"


def _join(rows: Select[Any], dialect: Dialect) -> _Join:
    if dialect.keeps_formulas:
        return b"".join
    in_json = (place for place, column in enumerate(rows.selected_columns) if isinstance(column.type, JSON))
    return RowGuard(dialect.separator, frozenset(in_json)).guarded


async def ndjson(connection: psycopg.AsyncConnection[Any], roster: Roster, criteria: Criteria) -> AsyncGenerator[bytes]:
    """One JSON object per line, the bytes of it as in every answer."""
    participant = select_all(roster, criteria).subquery("participant")
    async for chunk in _copied(connection, _LINES, select(as_json(participant))):
        yield chunk


async def _copied(
    connection: psycopg.AsyncConnection[Any], statement: str, rows: Select[Any], join: _Join = b"".join
) -> AsyncGenerator[bytes]:
    """What COPY sends, in chunks of at least `_CHUNK` bytes: PostgreSQL sends one row at a time."""
    text, values = for_psycopg(rows)
    # COPY takes no bound values: psycopg quotes them into the statement, with libpq.
    query = AsyncClientCursor(connection).mogrify(text, values)
    is_complete = False
    async with connection.cursor().copy(statement.format(query).encode()):
        while not is_complete:
            part, is_complete = await connection.wait(_read(connection.pgconn))
            yield join(part)


def _read(pgconn: PGconn) -> PQGen[tuple[list[memoryview], bool]]:
    """The next rows, and whether they are the last ones: one wait for all of them costs half of a wait for each."""
    rows: list[memoryview] = []
    size = 0
    while size < _CHUNK:
        row = yield from copy_from(pgconn)
        if not isinstance(row, memoryview):
            return rows, True
        rows.append(row)
        size += len(row)
    return rows, False
