"""Which server is read: a replica that answers and is not far behind; else the primary, if there is one.

Each is looked at once a second, beside the requests. One server is read at a time, so that what a client sees in this
process does not go back and forth between replicas that are at different positions.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import psycopg
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingest.driver import answered_within
from ingest.metrics import REPLICAS_LEFT_OUT, Reading, readings_of
from ingest.read_hosts import ReadHost
from ingest.sqlstate import DRIVER_ERRORS, DriverError, is_away, is_cancelled, is_recovery_conflict
from projections.web.lag import Lag
from projections.web.read_server import ReadServer, ServerPlace

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_LOOK_SECONDS = 1.0  # from the beginning of a look to that of the next
_WAIT_SECONDS = 5.0  # that a request waits for a look which begins after it failed
_LEAST_SECONDS = 1.0  # that are left of a request's time, for it to be tried again
_TRIES = 3
_MORE_KEPT_SECONDS = 60.0  # that the primary's positions are kept longer than a replica may be behind


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
        self._servers = [*self._replicas, *([] if self._primary is None else [self._primary])]
        self._is_watched = len(self._servers) > 1
        self._most_behind = most_behind
        self._lag = Lag(most_behind + _MORE_KEPT_SECONDS)
        self._behind: dict[str, float] = {}  # seconds by name, as of the last look at which the primary answered
        self._left_out: dict[str, str] = {}  # why, by name
        self._read: str | None = None  # the name of the server that is read, as the log knows it
        self._begun = self._done = 0  # looks
        self._looked = asyncio.Condition()
        self.answering = _Chosen(lambda: self._chosen().answering)
        self.exporting = _Chosen(lambda: self._chosen().exporting)

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
        for server in self._servers:
            await server.close()

    async def tried_again(self, attempt: Callable[[], Awaitable[_T]], seconds: float) -> _T:
        """What an attempt to answer gives, which has sent nothing when it fails, within so many seconds.

        Tried twice more at the most: if a replica had to end it, to go on following its primary; and if its server was
        lost or hangs, once all have been looked at and it may be answered by another.
        """
        until = time.monotonic() + seconds
        tries = 0
        while True:
            tries += 1
            try:
                with answered_within(until - time.monotonic()):
                    return await attempt()
            except (*DRIVER_ERRORS, PoolTimeout) as error:
                is_conflict = is_recovery_conflict(error)
                is_over = tries == _TRIES or until - time.monotonic() < _LEAST_SECONDS
                if is_over or not (is_conflict or self._may_be_elsewhere(error)):
                    raise
            if not is_conflict:
                await self._next_look()

    def readings(self) -> list[Reading]:
        """Which replicas this process leaves out; of those that it looks at."""
        if not self._is_watched:
            return []
        numbers = [str(host.number) for host in self._hosts]
        left_out = [float(replica.name in self._left_out) for replica in self._replicas]
        return readings_of(
            REPLICAS_LEFT_OUT, {(number,): is_out for number, is_out in zip(numbers, left_out, strict=True)}
        )

    def remark(self) -> str | None:
        """The sentence about replicas that are left out; None if there are none."""
        names = sorted(replica.name for replica in self._replicas if replica.name in self._left_out)
        return "; ".join(f"{name} of READ_DATABASE_URL: {self._left_out[name]}" for name in names) or None

    def _chosen(self) -> ReadServer:
        for server in self._servers:
            if server.name not in self._left_out:
                return server
        raise NothingToRead("; ".join(f"{name}: {why}" for name, why in self._left_out.items()))

    def _may_be_elsewhere(self, error: DriverError | PoolTimeout) -> bool:
        """Whether another server, or the same in a moment, may answer what failed so."""
        if not self._is_watched or isinstance(error, NothingToRead):
            return False
        return isinstance(error, PoolTimeout) or (is_away(error) and not is_cancelled(error))

    async def _next_look(self) -> None:
        """Wait until a look that begins after now has ended."""
        begun = self._begun
        try:
            async with asyncio.timeout(_WAIT_SECONDS), self._looked:
                await self._looked.wait_for(lambda: self._done > begun)
        except TimeoutError:
            return

    async def _look(self, now: float) -> None:
        places = await asyncio.gather(*(server.look() for server in self._servers))
        by_name = {server.name: place for server, place in zip(self._servers, places, strict=True)}
        self._compare(by_name, now)
        for server in self._servers:
            self._judge(server, by_name[server.name])
        read = next((each.name for each in self._servers if each.name not in self._left_out), None)
        if read != self._read:
            self._read = read
            level = logging.ERROR if read is None else logging.INFO
            logger.log(level, "roster is read from", extra={"fields": {"server": read or "none"}})

    def _compare(self, places: Mapping[str, ServerPlace | None], now: float) -> None:
        """Compare the replicas with the primary, else with the one that is furthest. While the primary is away, what
        was found before stays: nobody can tell how far it had got.
        """
        if self._primary is None:
            placed = [place for place in places.values() if place is not None and place.position is not None]
            first = max(placed, key=lambda place: place.position or 0, default=None)
        else:
            first = places[self._primary.name]
        if first is None or first.position is None or (first.is_replica and self._primary is not None):
            return
        self._lag.note(first.position, now)
        for replica in self._replicas:
            place = places[replica.name]
            if place is None or place.position is None or place.system != first.system:
                self._behind.pop(replica.name, None)
            else:
                self._behind[replica.name] = self._lag.seconds(place.position, now, place.since_replayed)

    def _judge(self, server: ReadServer, place: ServerPlace | None) -> None:
        was_left_out = server.name in self._left_out
        # One that has caught up by half is taken again, so that none comes and goes at the bound.
        most = self._most_behind / 2 if was_left_out else self._most_behind
        behind = self._behind.get(server.name, 0.0)
        if place is None:
            self._left_out[server.name] = "it does not answer"
        elif 0 < most < behind:
            self._left_out[server.name] = f"it is {behind:.0f} s behind"
        else:
            self._left_out.pop(server.name, None)
        is_left_out = server.name in self._left_out
        if is_left_out != was_left_out and server is not self._primary:
            fields = {"replica": server.name, "why": self._left_out.get(server.name, "it can be read again")}
            said = "replica left out" if is_left_out else "replica taken again"
            logger.warning(said, extra={"fields": fields})
