"""What metrics read from the database: once for scrapes that follow each other, and never waited for any longer."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ingest.database import API_ROLE, async_engine
from ingest.driver import answered_within
from ingest.metrics import DATABASE_UP, Reading
from ingest.session import Deadlines
from ingest.sqlstate import DRIVER_ERRORS

Read = Callable[[Connection], Iterable[Reading]]

_KEPT_SECONDS = 3.0  # that what was read is given again
_SCRAPE_SECONDS = 0.8  # that a scrape waits for the database
_READ_SECONDS = 5.0  # that the reading itself may take; what came too late for one scrape is there for the next
_DEADLINES = Deadlines(statement=_READ_SECONDS, idle=_READ_SECONDS)


class DatabaseFigures:
    """The readings of `reads` from one database, in one transaction that writes nothing."""

    def __init__(self, conninfo: str, reads: Sequence[Read]) -> None:
        self._engine = async_engine(conninfo, API_ROLE, read_only=True, deadlines=_DEADLINES)
        self._reads = reads
        self._readings: list[Reading] | None = None
        self._read_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    async def read(self) -> list[Reading]:
        """The readings, at most three seconds old; `rosterlog_database_up` alone while the database does not answer."""
        if time.monotonic() - self._read_at > _KEPT_SECONDS:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._fetch())
            await asyncio.wait([self._task], timeout=_SCRAPE_SECONDS)
        is_fresh = time.monotonic() - self._read_at <= _KEPT_SECONDS
        readings = self._readings if is_fresh else None
        return [Reading(DATABASE_UP, (), 0.0)] if readings is None else [Reading(DATABASE_UP, (), 1.0), *readings]

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._engine.dispose()

    async def _fetch(self) -> None:
        try:
            with answered_within(_READ_SECONDS):
                async with self._engine.connect() as connection:
                    await connection.execution_options(isolation_level="REPEATABLE READ")
                    self._readings = await connection.run_sync(self._read_all)
        except (*DRIVER_ERRORS, PoolTimeout, TimeoutError):
            self._readings = None
        self._read_at = time.monotonic()

    def _read_all(self, connection: Connection) -> list[Reading]:
        return [reading for read in self._reads for reading in read(connection)]
