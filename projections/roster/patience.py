"""A part of an answer that is left out where it takes too long."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from ingest.sqlstate import is_cancelled

_T = TypeVar("_T")


async def within(connection: AsyncConnection, milliseconds: int, ask: Callable[[], Awaitable[_T]]) -> _T | None:
    """What `ask` gives; None if one of its statements takes longer. The transaction goes on either way."""
    savepoint = await connection.begin_nested()
    try:
        await connection.execute(text(f"set local statement_timeout = '{milliseconds}ms'"))
        given = await ask()
    except DBAPIError as error:
        await savepoint.rollback()
        if not is_cancelled(error):
            raise
        return None
    await savepoint.rollback()  # with the time-out
    return given
