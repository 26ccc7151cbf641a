"""Runs statements on the driver itself: a result row by row, with JSON as the bytes that PostgreSQL wrote."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import psycopg
from psycopg import capabilities
from psycopg.types.json import set_json_loads
from sqlalchemy import Select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

# Rows that the driver takes over at once; fewer where its libpq, before 17, knows only one. Large ones are 256 kB.
_AT_ONCE = 25 if capabilities.has_stream_chunked() else 1

Fits = Callable[[int], bool]
"""Whether a row of so many bytes still fits into an answer; asked once for each row, in their order."""
Begin = Callable[[], Fits]
"""Begins an answer: nothing that was read before counts."""


def for_psycopg(statement: Select[Any]) -> tuple[str, dict[str, Any]]:
    """A statement as SQL for psycopg, and its bound values by name."""
    compiled = statement.compile(
        dialect=postgresql.psycopg.dialect(),  # type: ignore[no-untyped-call] # SQLAlchemy's own
        compile_kwargs={"render_postcompile": True},
    )
    return str(compiled), dict(compiled.params)


async def read_rows(
    connection: AsyncConnection, statement: str, values: Mapping[str, Any]
) -> AsyncGenerator[tuple[Any, ...]]:
    """The rows of a statement, each as soon as it is here, with JSON as bytes; in the connection's transaction.

    Whoever leaves before the last row ends the query, and the transaction with it: no other statement may follow.
    """
    cursor = (await driver_of(connection)).cursor()
    set_json_loads(_as_written, cursor)
    rows = cursor.stream(statement.encode(), values, size=_AT_ONCE)
    assert isinstance(rows, AsyncGenerator)  # noqa: S101 - the driver's
    async with aclosing(rows):
        async for row in rows:
            yield row


def _as_written(json: str | bytes) -> bytes:
    return json.encode() if isinstance(json, str) else json


async def driver_of(connection: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """The driver's own connection."""
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, psycopg.AsyncConnection)  # noqa: S101 - the driver of all engines here
    return driver
