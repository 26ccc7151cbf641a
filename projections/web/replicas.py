"""Which server is read: a replica that answers and is not far behind; else the primary, if there is one.

Each is looked at once a second, beside the requests. One server is read at a time, so that what a client sees in this
process does not go back and forth between replicas that are at different positions.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import psycopg
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingest.database import KEPT_SESSIONS
from ingest.driver import answered_within
from ingest.metrics import REPLICAS_LEFT_OUT, Reading, readings_of
from ingest.read_hosts import ReadHost
from ingest.sqlstate import DRIVER_ERRORS, DriverError, has_stale_plan, is_away, is_cancelled, is_recovery_conflict
from projections.web.left_out import LeftOut
from projections.web.read_server import ReadServer

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_LOOK_SECONDS = 1.0  # from the beginning of a look to that of the next
_WAIT_SECONDS = 5.0  # that a request waits for a look which begins after it failed
_LEAST_SECONDS = 1.0  # that are left of a request's time, for it to be tried again
_TRIES = 3
_MISSED_LOOKS = 2  # in a row, after which a server is taken for one that hangs, and not for one that was busy


class NothingToRead(psycopg.OperationalError):
    """No server can be read from; the message says of each why."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Connections to the server that is read when each is asked for."""

    choose: Callable[[], AsyncEngine]

    def connect(self) -> AsyncConnection:
        """Raises `NothingToRead`."""
        return self.choose().connect()


class Replicas:
    """`hosts`: in the order of their turns. `primary`: the connection string of the database that they follow, which is
    read when none of them can be; None if there is no other. `most_behind`: seconds, after which one is left out; 0:
    none is, whatever it is behind.

    A single host without a primary is read whatever happens, and not looked at.
    """

    def __init__(self, hosts: Sequence[ReadHost], primary: str | None, most_behind: float) -> None:
        self._hosts = hosts
        self._replicas = [ReadServer(f"replica {host.number}", host.conninfo) for host in hosts]
        self._primary = None if primary is None else ReadServer("DATABASE_URL", primary, is_primary=True)
        self.servers = [*self._replicas, *([] if self._primary is None else [self._primary])]
        self._is_watched = len(self.servers) > 1
        followed = None if self._primary is None else self._primary.name
        self._left_out = LeftOut([replica.name for replica in self._replicas], followed, most_behind)
        self._read: str | None = None  # the name of the server that is read, as the log knows it
        self._begun = self._done = 0  # looks
        self._looked = asyncio.Condition()
        self.answering = _Chosen(lambda: self._chosen().answering)
        self.exporting = _Chosen(lambda: self._chosen().exporting)

    @property
    def chosen(self) -> str | None:
        """The name of the server that is read; None if none can be."""
        return next((server.name for server in self.servers if server.name not in self._left_out.why), None)

    async def begin(self) -> None:
        """The first look, before anything is read."""
        if self._is_watched:
            await self._look(time.monotonic())

    async def run(self) -> None:
        """Look at each server once a second, for ever, if there is a choice; to be run as a task of the server."""
        while self._is_watched:
            begun = time.monotonic()
            self._begun += 1
            await self._look(begun)
            async with self._looked:
                self._done = self._begun
                self._looked.notify_all()
            await asyncio.sleep(max(0.0, begun + _LOOK_SECONDS - time.monotonic()))

    async def close(self) -> None:
        for server in self.servers:
            await server.close()

    async def tried_again(self, attempt: Callable[[], Awaitable[_T]], seconds: float) -> _T:
        """What an attempt to answer gives, which has sent nothing when it fails, within so many seconds.

        Tried twice more at the most: if a replica had to end it, to go on following its primary; and if its server was
        lost or hangs, as soon as a look has found another one that may answer. Besides, once for each session that may
        have prepared it before a migration.
        """
        until = time.monotonic() + seconds
        tries, most = 0, _TRIES
        while True:
            tries += 1
            asked = self.chosen
            try:
                with answered_within(until - time.monotonic()):
                    return await attempt()
            except (*DRIVER_ERRORS, PoolTimeout) as error:
                if is_stale := has_stale_plan(error):
                    most = _TRIES + KEPT_SESSIONS  # behind a pool that keeps statements it may fail for ever
                is_conflict = is_stale or is_recovery_conflict(error)
                is_over = tries >= most or until - time.monotonic() < _LEAST_SECONDS
                if is_over or not (is_conflict or self._may_be_elsewhere(error)):
                    raise
            if not is_conflict and self.chosen in (None, asked):
                await self._next_look()

    def readings(self) -> list[Reading]:
        """Which replicas this process leaves out; of those that it looks at."""
        if not self._is_watched:
            return []
        numbers = [str(host.number) for host in self._hosts]
        left_out = [float(replica.name in self._left_out.why) for replica in self._replicas]
        return readings_of(
            REPLICAS_LEFT_OUT, {(number,): is_out for number, is_out in zip(numbers, left_out, strict=True)}
        )

    def remark(self) -> str | None:
        """The sentence about replicas that are left out; None if there are none."""
        out = [replica.name for replica in self._replicas if replica.name in self._left_out.why]
        return "; ".join(f"{name} of READ_DATABASE_URL: {self._left_out.why[name]}" for name in sorted(out)) or None

    def leads_on(self, error: DriverError | PoolTimeout | TimeoutError) -> bool:
        """Whether what failed so is answered by another server, as soon as the one that is read is left out."""
        return self._may_be_elsewhere(error) and len(self._left_out.why) + 1 < len(self.servers)

    def _chosen(self) -> ReadServer:
        for server in self.servers:
            if server.name not in self._left_out.why:
                return server
        raise NothingToRead("; ".join(f"{name}: {why}" for name, why in self._left_out.why.items()))

    def _may_be_elsewhere(self, error: DriverError | PoolTimeout | TimeoutError) -> bool:
        """Whether another server, or the same in a moment, may answer what failed so."""
        if not self._is_watched or isinstance(error, NothingToRead):
            return False
        return isinstance(error, PoolTimeout | TimeoutError) or (is_away(error) and not is_cancelled(error))

    async def _next_look(self) -> None:
        """Wait until a look that begins after now has ended."""
        begun = self._begun
        try:
            async with asyncio.timeout(_WAIT_SECONDS), self._looked:
                await self._looked.wait_for(lambda: self._done > begun)
        except TimeoutError:
            return

    async def _look(self, now: float) -> None:
        places = await asyncio.gather(*(server.look() for server in self.servers))
        before = {*self._left_out.why}
        self._left_out.look({server.name: place for server, place in zip(self.servers, places, strict=True)}, now)
        for server, place in zip(self.servers, places, strict=True):
            if (server.name in self._left_out.why) != (server.name in before) and server is not self._primary:
                self._say(server.name)
            if place is None and server.name not in before:
                await server.forget_sessions()
            if server.missed == _MISSED_LOOKS and self.chosen is not None:
                server.end_questions()
        if (read := self.chosen) != self._read:
            self._read = read
            level = logging.ERROR if read is None else logging.INFO
            logger.log(level, "roster is read from", extra={"fields": {"server": read or "none"}})

    def _say(self, replica: str) -> None:
        why = self._left_out.why.get(replica)
        fields = {"replica": replica, "why": why or "it can be read again"}
        logger.warning("replica left out" if why else "replica taken again", extra={"fields": fields})
