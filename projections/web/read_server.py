"""One server that the roster can be read from: its sessions, and a look at how far it is."""

import asyncio
import os
from contextlib import suppress
from socket import SHUT_RDWR, socket

import psycopg
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from ingest.database import API_ROLE, async_engine, connect_async
from ingest.driver import AsyncConnection, answered_within
from ingest.session import EXPORTING, SERVING, Deadlines
from projections.web.server_place import ServerPlace

_LOOK_SECONDS = 1.5  # that a look may take; a server that does not answer in them cannot be read
_SESSIONS_ON_PRIMARY = 4  # of this process, for answers
_MARGIN = 0.2  # that the program waits longer than its driver
_DEADLINES = Deadlines(statement=_LOOK_SECONDS, idle=_LOOK_SECONDS)
# A replica has the positions of its primary if both are of one system. They are numbers of bytes.
_LOOK = b"""
select
  pg_is_in_recovery(),
  (select system_identifier from pg_control_system()),
  (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end
    - pg_lsn '0/0')::bigint,
  extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float
"""


class _InUse:
    """The sessions of an engine with which something is asked now."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._sessions: dict[ConnectionPoolEntry, DBAPIConnection] = {}
        event.listen(engine.sync_engine, "checkout", self._begin)
        event.listen(engine.sync_engine, "checkin", self._end)

    def cut(self) -> None:
        """Cut them off: what waits for an answer has an error at once, as if the server had gone."""
        for session in [*self._sessions.values()]:
            driver: psycopg.AsyncConnection[object] = session.driver_connection
            with suppress(OSError, psycopg.Error), socket(fileno=os.dup(driver.pgconn.socket)) as shared:
                shared.shutdown(SHUT_RDWR)

    def _begin(self, session: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
        self._sessions[entry] = session

    def _end(self, _session: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        self._sessions.pop(entry, None)


class ReadServer:
    """`name`: as the log names it. `answering`: its sessions for answers; `exporting`: those that may take long.

    `is_primary`: the one that takes the deliveries, from which reading must not take it.
    """

    def __init__(self, name: str, conninfo: str, *, is_primary: bool = False) -> None:
        most = _SESSIONS_ON_PRIMARY if is_primary else None
        self.name = name
        self.is_primary = is_primary
        self.answering = async_engine(conninfo, API_ROLE, read_only=True, deadlines=SERVING, most=most)
        self.exporting = async_engine(conninfo, API_ROLE, read_only=True, keeps=False, deadlines=EXPORTING)
        self._in_use = _InUse(self.answering)
        self._conninfo = conninfo
        self._looking: AsyncConnection | None = None
        self.missed = 0  # looks in a row without an answer

    async def look(self) -> ServerPlace | None:
        """How far it is; None if it does not answer."""
        try:
            with answered_within(_LOOK_SECONDS):
                async with asyncio.timeout(_LOOK_SECONDS + _MARGIN):
                    place = await self._look()
                    self.missed = 0
                    if place.is_replica and self.is_primary and self._looking is not None:
                        await self._looking.close()  # the address may lead to the one that has taken over
                    return place
        except (psycopg.Error, OSError):  # a time-out is an `OSError`, too
            self.missed += 1
            return None

    async def forget_sessions(self) -> None:
        """Give up the sessions that wait for their next use: when a server answers again, they may be dead for good."""
        await self.answering.dispose()

    def end_questions(self) -> None:
        """Let what is asked now have an error at once: another server can answer it."""
        self._in_use.cut()

    async def close(self) -> None:
        if self._looking is not None:
            await self._looking.close()
        await self.answering.dispose()
        await self.exporting.dispose()

    async def _look(self) -> ServerPlace:
        """On a new connection if there is none, or if the one of before has ended meanwhile."""
        if self._looking is not None and not self._looking.closed:
            with suppress(psycopg.OperationalError):
                return await _place(self._looking)
            await self._looking.close()
        self._looking = await connect_async(self._conninfo, API_ROLE, _DEADLINES, read_only=True, autocommit=True)
        return await _place(self._looking)


async def _place(connection: AsyncConnection) -> ServerPlace:
    try:
        row = await (await connection.execute(_LOOK)).fetchone()
    except psycopg.OperationalError:
        raise
    except psycopg.Error:  # a service that is no PostgreSQL as such keeps no such positions, and answers
        return ServerPlace()
    return ServerPlace(*(row or ()))
