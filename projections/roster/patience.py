"""A part of an answer that is left out where it takes too long."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from ingest.sqlstate import is_cancelled

_T = TypeVar("_T")
_BACK = text("rollback to savepoint patience; release savepoint patience")


async def within(connection: AsyncConnection, milliseconds: int, ask: Callable[[], Awaitable[_T]]) -> _T | None:
    """What `ask` gives; None if one of its statements takes longer. The transaction goes on either way.

    Not one within another: the savepoint of each has the same name.
    """
    await connection.execute(text(f"savepoint patience; set local statement_timeout = '{milliseconds}ms'"))
    try:
        given = await ask()
    except DBAPIError as error:
        if error.connection_invalidated:  # there is no transaction any more to go back in
            raise
        await _back(connection)
        if not is_cancelled(error):
            raise
        return None
    await _back(connection)
    return given


async def _back(connection: AsyncConnection) -> None:
    """Go back to before the time-out. It holds for the first of the two, too, which a busy machine may not run in time;
    if its end comes late, it ends the second one, not what is asked next.
    """
    while True:
        try:
            await connection.execute(_BACK)
        except DBAPIError as error:
            if not is_cancelled(error):
                raise
        else:
            return
