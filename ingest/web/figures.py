"""What metrics read from the database: once for scrapes that follow each other, none of which waits for long."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ingest.database import API_ROLE, async_engine, connect_async
from ingest.driver import AsyncConnection, answered_within
from ingest.metrics import DATABASE_UP, Reading
from ingest.postgres import as_login
from ingest.session import Deadlines
from ingest.sqlstate import DRIVER_ERRORS, error_fields, sqlstate

logger = logging.getLogger(__name__)

Read = Callable[[Connection], Iterable[Reading]]

_KEPT_SECONDS = 3.0  # that what was read is given again before it is read anew
_SCRAPE_SECONDS = 0.8  # that a scrape waits for the database
_READ_SECONDS = 20.0  # that a reading may take
_OLD_SECONDS = 60.0  # after which a reading is given no more
_SAY_SECONDS = 60.0  # between two lines about readings that failed
_MARGIN = 0.1  # that the program waits longer than its driver
_NOTHING = "select 1"
_MAY_TAKE = "select coalesce(pg_has_role(session_user, to_regrole(%s)::oid, 'member'), true)"
_REFUSED = "42501"  # insufficient_privilege
_DEADLINES = Deadlines(statement=_READ_SECONDS, idle=_READ_SECONDS)


class DatabaseFigures:
    """The readings of `reads` from one database, in one transaction that writes nothing.

    A database that is slow is not away: what was read last is given until there is a newer reading. `role` reads,
    unless the login may not take it; `asks` is the service's own, which finds out whether the database is there.
    """

    def __init__(self, conninfo: str, reads: Sequence[Read], role: str = API_ROLE, asks: str | None = None) -> None:
        self._conninfo, self._role, self._asks = conninfo, role, asks or role
        self._may_read = True
        self._engine = async_engine(conninfo, role, read_only=True, deadlines=_DEADLINES)
        self._reads = reads
        self._asked: AsyncConnection | None = None  # on which one answer shows that the database is there
        self._asking = asyncio.Lock()
        self._readings: list[Reading] = []
        self._read_at = self._said_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    async def read(self) -> list[Reading]:
        """The last readings; `rosterlog_database_up` alone while the database does not answer."""
        begun = time.monotonic()
        if not await self._answers():
            return [Reading(DATABASE_UP, (), 0.0)]
        if self._may_read and begun - self._read_at > _KEPT_SECONDS:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._fetch())
            await asyncio.wait([self._task], timeout=max(0.0, _SCRAPE_SECONDS - (time.monotonic() - begun)))
        is_old = time.monotonic() - self._read_at > _OLD_SECONDS
        return [Reading(DATABASE_UP, (), 1.0), *([] if is_old else self._readings)]

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._asked is not None:
            await self._asked.close()
        await self._engine.dispose()

    async def _answers(self) -> bool:
        """Whether the database answers now."""
        try:
            with answered_within(_SCRAPE_SECONDS):
                async with asyncio.timeout(_SCRAPE_SECONDS + _MARGIN), self._asking:
                    await self._ask()
        except psycopg.errors.InsufficientPrivilege:  # a login that may do only its own work still has a database
            return True
        except (psycopg.Error, TimeoutError):
            return False
        return True

    async def _ask(self) -> None:
        """Have one answer, on a new connection if there is none or if the one of before has ended meanwhile."""
        if self._asked is not None and not self._asked.closed:
            with contextlib.suppress(psycopg.OperationalError):
                await self._asked.execute(_NOTHING)
                return
            await self._asked.close()
        self._asked = await connect_async(self._conninfo, self._asks, _DEADLINES, read_only=True, autocommit=True)
        # Not tried, which would be an error in the server's log at each scrape.
        row = await (await self._asked.execute(_MAY_TAKE, [self._role])).fetchone()
        has_own_login = as_login(self._conninfo, self._role) != self._conninfo
        self._may_read = self._asks == self._role or has_own_login or (row is not None and row[0])

    async def _fetch(self) -> None:
        try:
            with answered_within(_READ_SECONDS):
                async with self._engine.connect() as connection:
                    self._readings = await connection.run_sync(self._read_all)
            self._read_at = time.monotonic()
        except (*DRIVER_ERRORS, PoolTimeout, TimeoutError) as error:  # what was read last is given until it is old
            if time.monotonic() - self._said_at > _SAY_SECONDS:
                # That a login may do only its own work stays so: it is no news the next time.
                is_refused = isinstance(error, DRIVER_ERRORS) and sqlstate(error) == _REFUSED
                self._said_at = math.inf if is_refused else time.monotonic()
                logger.warning("metrics could not be read from the database", extra={"fields": error_fields(error)})

    def _read_all(self, connection: Connection) -> list[Reading]:
        return [reading for read in self._reads for reading in read(connection)]
