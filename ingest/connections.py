"""The few connections that a server keeps for appending, and whether they can append."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from ingest.log.append import Connection, can_append

T = TypeVar("T")
Connect = Callable[[], Awaitable[Connection]]
Work = Callable[[Connection], Awaitable[T]]

_PROBE_SECONDS = 1.0  # between two checks whether an append would succeed
_PROBE_TIMEOUT = 2.0  # seconds


class Connections:
    """A pool of at most `most` connections. Each serves one caller at a time and is kept open for the next."""

    def __init__(self, connect: Connect, most: int = 4) -> None:
        self._connect = connect
        self._slots = asyncio.Semaphore(most)
        self._idle: list[Connection] = []
        self._probing = asyncio.Lock()
        self._probed_at = -_PROBE_SECONDS
        self._ready = False

    async def use(self, work: Work[T]) -> T:
        """Run `work` on an idle connection, or on a new one if the database has closed the idle ones.

        Raises `psycopg.Error`; `psycopg.OperationalError` if no connection could be made.
        """
        async with self._slots:
            while self._idle:
                connection = self._idle.pop()
                try:
                    return await self._work(connection, work)
                except psycopg.Error:
                    if not connection.closed:
                        raise
            return await self._work(await self._open(), work)

    async def is_ready(self) -> bool:
        """Whether an append would succeed now. Checked at most once a second, however often this is called."""
        async with self._probing:
            now = asyncio.get_running_loop().time()
            if now >= self._probed_at + _PROBE_SECONDS:
                self._ready = await self._probe()
                self._probed_at = asyncio.get_running_loop().time()
            return self._ready

    async def close(self) -> None:
        for connection in self._idle:
            await connection.close()

    async def _probe(self) -> bool:
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                return await self.use(can_append)
        except (psycopg.Error, TimeoutError):
            return False

    async def _work(self, connection: Connection, work: Work[T]) -> T:
        """Run `work`, and keep the connection if it can be used again."""
        try:
            return await work(connection)
        finally:
            if connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
                await connection.close()
            else:
                self._idle.append(connection)

    async def _open(self) -> Connection:
        try:
            return await self._connect()
        except psycopg.Error as error:  # whatever its SQLSTATE: no delivery caused it
            raise psycopg.OperationalError("no connection") from error
