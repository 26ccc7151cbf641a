"""Runs statements on the driver itself: a result row by row, with JSON as the bytes that PostgreSQL wrote."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, nullcontext
from typing import Any, Protocol

import psycopg
from psycopg import capabilities
from psycopg.rows import namedtuple_row
from psycopg.types.json import set_json_loads
from sqlalchemy import Select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from ingest.database import SOUND_SECONDS
from ingest.driver import answered_within, is_shared

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


class Connects(Protocol):
    """An engine, or what chooses one each time."""

    def connect(self) -> AsyncConnection: ...


@asynccontextmanager
async def in_snapshot(
    engine: Connects, statement: str, values: Mapping[str, Any]
) -> AsyncIterator[tuple[AsyncConnection, Any]]:
    """A connection in a transaction that reads one snapshot, and the row of its first statement, None if there is none.

    Of an engine that is not for reading, each statement has a snapshot of its own. A kept connection that turns out to
    be dead is replaced: a restart of the database breaks no request.
    """
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(engine.connect())
        try:
            with answered_within(SOUND_SECONDS):
                row = await _begun(connection, statement, values)
        except psycopg.OperationalError as error:
            if not (await driver_of(connection)).closed:
                raise
            await connection.invalidate(error)
            await stack.aclose()
            connection = await stack.enter_async_context(engine.connect())
            row = await _begun(connection, statement, values)
        driver = await driver_of(connection)
        try:
            yield connection, row
        except psycopg.OperationalError as error:
            if driver.closed:  # or leaving it would fail, too, and say nothing of this error
                await connection.invalidate(error)
            raise
        await _ended(connection, driver)


async def _begun(connection: AsyncConnection, statement: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a row
    """The row of a transaction's first statement, which goes to the database together with the transaction's begin.

    Behind a pool it follows the begin, which is several statements there.
    """
    driver = await driver_of(connection)
    cursor = driver.cursor(row_factory=namedtuple_row)
    async with nullcontext() if is_shared(driver) else driver.pipeline():
        await cursor.execute(statement.encode(), values, prepare=True)
    return await cursor.fetchone()


async def _ended(connection: AsyncConnection, driver: psycopg.AsyncConnection[Any]) -> None:
    """Commit what only read: with a rollback the driver would forget what is prepared in the session."""
    try:
        await driver.commit()
    except psycopg.OperationalError as error:  # all has been read
        await connection.invalidate(error)


async def read_few(connection: AsyncConnection, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The few rows of a statement that finds them by their key, with JSON as bytes; in the connection's transaction.

    It is prepared: to plan it takes longer than to run it, and its plan is the same whichever values are bound.
    """
    cursor = (await driver_of(connection)).cursor()
    set_json_loads(_as_written, cursor)
    await cursor.execute(statement.encode(), values, prepare=True)
    return await cursor.fetchall()


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
