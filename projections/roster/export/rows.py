"""The rows of an export, written by PostgreSQL's COPY as CSV or as lines of JSON."""

import codecs
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import psycopg
from psycopg import AsyncClientCursor, sql
from psycopg.abc import PQGen
from psycopg.generators import copy_from
from psycopg.pq.abc import PGconn
from pydantic_core import to_json
from sqlalchemy import ARRAY, JSON, ColumnElement, Select, Text, func, literal, select, true
from sqlalchemy.dialects.postgresql import array

from projections.roster.export.formats import Dialect
from projections.roster.export.guarded_rows import RowGuard
from projections.roster.export.lines import csv_line
from projections.roster.export.table import ExportTable, column_name
from projections.roster.participant_json import as_json, spelled
from projections.roster.reading import for_psycopg

_CHUNK = 65_536  # bytes
# JSON contains neither this quote nor this delimiter, so that COPY sends each line unchanged.
_LINES = "copy ({}) to stdout with (format csv, quote e'\\x01', delimiter e'\\x02')"
_Join = Callable[[Sequence[bytes | memoryview]], bytes]


async def csv_rows(
    connection: psycopg.AsyncConnection[Any], table: ExportTable, dialect: Dialect
) -> AsyncGenerator[bytes]:
    """CSV with a header, unless the dialect has none; SQL's null is an empty field.

    Unless the dialect keeps formulas, texts that a spreadsheet would run are made harmless, as `guard` says.
    """
    join = _join(table, dialect)
    header = codecs.BOM_UTF8 if dialect.has_bom else b""
    if dialect.has_header:
        header += join([_header(table, dialect)])
    async for chunk in _copied(connection, copy_csv(dialect), table.rows(_cell), join):
        yield header + chunk  # nothing is sent before the query runs
        header = b""


def copy_csv(dialect: Dialect) -> str:
    """The statement that writes CSV without a header; the query goes in the place of `{}`."""
    return f"copy ({{}}) to stdout with (format csv, delimiter {sql.Literal(dialect.separator).as_string()})"


async def ndjson_rows(connection: psycopg.AsyncConnection[Any], table: ExportTable) -> AsyncGenerator[bytes]:
    """One JSON object per line, the bytes of it as in every answer; the answers by question are added to it."""
    async for chunk in _copied(connection, _LINES, _lines(table)):
        yield chunk


def _lines(table: ExportTable) -> Select[Any]:
    rows = table.rows(spelled).subquery("participant")
    if not table.titled:
        return select(as_json(rows))
    own = select(*(rows.c[title] for title, _ in table.own)).correlate(rows).lateral("own")
    pieces: list[ColumnElement[str]] = [func.left(as_json(own).cast(Text), -1)]
    for number, (title, _) in enumerate(table.columns[len(table.own) :]):
        value = func.to_json(rows.c[column_name(number)]).cast(Text)
        pieces += [literal(f",{to_json(title).decode()}:"), func.coalesce(value, "null")]
    line = func.array_to_string(array([*pieces, literal("}")]), "")
    return select(line).select_from(rows.join(own, true()))


def _join(table: ExportTable, dialect: Dialect) -> _Join:
    if dialect.keeps_formulas:
        return b"".join
    in_json = (place for place, (_, type_) in enumerate(table.titles) if isinstance(type_, JSON | ARRAY))
    return RowGuard(dialect.separator, frozenset(in_json)).guarded


def _header(table: ExportTable, dialect: Dialect) -> bytes:
    return csv_line([title for title, _ in table.titles], dialect.separator).encode()


def _cell(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column in a table: what is no single value is JSON."""
    return func.to_json(column).cast(Text) if isinstance(column.type, ARRAY) else spelled(column)


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
