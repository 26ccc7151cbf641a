"""The rows of an export, written by PostgreSQL's COPY as CSV or as lines of JSON."""

import csv
import io
from collections.abc import AsyncGenerator
from typing import Any

import psycopg
from psycopg import AsyncClientCursor
from pydantic_core import to_json
from sqlalchemy import ARRAY, ColumnElement, Select, Text, case, func, literal, select, true
from sqlalchemy.dialects.postgresql import array

from projections.roster.export.formats import RUN_BY_SHEETS
from projections.roster.export.table import ExportTable, column_name
from projections.roster.participant_json import as_json, spelled
from projections.roster.reading import for_psycopg

_CHUNK = 65_536  # bytes
CSV = "copy ({}) to stdout with (format csv)"
# JSON contains neither this quote nor this delimiter, so that COPY sends each line unchanged.
_LINES = "copy ({}) to stdout with (format csv, quote e'\\x01', delimiter e'\\x02')"


async def csv_rows(
    connection: psycopg.AsyncConnection[Any], table: ExportTable, *, keeps_formulas: bool
) -> AsyncGenerator[bytes]:
    """CSV with a header; SQL's null is an empty field.

    Unless `keeps_formulas`, texts that a spreadsheet would run get an apostrophe before them.
    """
    header = _header([title for title, _ in table.titles], keeps_formulas=keeps_formulas)
    async for chunk in _copied(connection, CSV, table.rows(_cell if keeps_formulas else _harmless), header):
        yield chunk


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


def _header(titles: list[str], *, keeps_formulas: bool) -> bytes:
    harmless = [f"'{title}" if title.startswith(RUN_BY_SHEETS) else title for title in titles]
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(titles if keeps_formulas else harmless)
    return line.getvalue().encode()


def _cell(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column in a table: what is no single value is JSON."""
    return func.to_json(column).cast(Text) if isinstance(column.type, ARRAY) else spelled(column)


def _harmless(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if not isinstance(column.type, Text):
        return _cell(column)
    return case((func.left(column, 1).in_(RUN_BY_SHEETS), "'" + column), else_=column)


async def _copied(
    connection: psycopg.AsyncConnection[Any], statement: str, rows: Select[Any], header: bytes = b""
) -> AsyncGenerator[bytes]:
    """What COPY sends, in chunks of at least `_CHUNK` bytes: PostgreSQL sends one row at a time.

    The first chunk begins with the header: nothing is sent before the query runs.
    """
    text, values = for_psycopg(rows)
    # COPY takes no bound values: psycopg quotes them into the statement, with libpq.
    query = AsyncClientCursor(connection).mogrify(text, values)
    buffer = [header]
    size = 0
    async with connection.cursor().copy(statement.format(query).encode()) as copying:
        async for row in copying:
            buffer.append(bytes(row))
            size += len(row)
            if size >= _CHUNK:
                yield b"".join(buffer)
                buffer, size = [], 0
    yield b"".join(buffer)
