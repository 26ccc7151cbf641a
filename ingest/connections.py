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

_PROBE_SECONDS = 1.0  # between two looks whether an append would be taken
_PROBE_TIMEOUT = 2.0


class Connections:
    """At most so many connections, each for one piece of work at a time and kept for the next."""

    def __init__(self, connect: Connect, most: int = 4) -> None:
        self._connect = connect
        self._slots = asyncio.Semaphore(most)
        self._idle: list[Connection] = []
        self._probing = asyncio.Lock()
        self._probed_at = -_PROBE_SECONDS
        self._ready = False

    async def use(self, work: Work[T]) -> T:
        """Work on a kept connection; if the database closed it meanwhile, once more on a new one.

        Raises `psycopg.Error`; an `OperationalError` if no connection could be made.
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
        """Whether an append would be taken now. Looked up once a second at the most, however often it is asked."""
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
        """Work, and keep the connection if it is fit for more."""
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
        except psycopg.Error as error:  # whatever it blames, no delivery is at fault
            raise psycopg.OperationalError("no connection") from error
