"""Puts deliveries that arrive together into one commit, and answers each for itself. Bounded in number, bytes, time."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from ingest.log.append import Connection, append, can_append
from ingest.log.event import Delivery, Receipt
from ingest.sqlstate import blames_the_data

log = logging.getLogger(__name__)

T = TypeVar("T")
Connect = Callable[[], Awaitable[Connection]]

MOST_IN_BATCH = 256
MOST_BYTES_IN_BATCH = 8_388_608
_WATCH_SECONDS = 0.1
_PROBE_SECONDS = 1.0
_PROBE_TIMEOUT = 2.0
_AWAY_SECONDS = 0.5  # how long a database that failed is left alone; every delivery is refused at once meanwhile


class NotKept(Exception):
    """The delivery cannot be made durable now; its sender has to try again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may wait at most: deliveries, bytes of their bodies, and seconds until one is answered."""

    pending: int
    pending_bytes: int
    answer_seconds: float


@dataclass(slots=True, eq=False)
class _Waiting:
    delivery: Delivery
    receipt: asyncio.Future[Receipt]
    since: float


@dataclass(slots=True)
class _Lane:
    """One source's deliveries: those that wait, and those whose commit is under way."""

    waiting: deque[_Waiting] = field(default_factory=deque)
    in_flight: list[_Waiting] = field(default_factory=list)
    stalled: bool = False


class GroupCommit:
    """A server's way into the log. A source has one commit under way at a time; what arrives meanwhile is the next."""

    def __init__(self, connect: Connect, limits: Limits, connections: int = 4) -> None:
        self._connect = connect
        self._limits = limits
        self._lanes: dict[str, _Lane] = {}
        self._writers: dict[str, asyncio.Task[None]] = {}
        self._idle: list[Connection] = []
        self._slots = asyncio.Semaphore(connections)
        self._pending = 0
        self._pending_bytes = 0
        self._away_until = 0.0
        self._watcher: asyncio.Task[None] | None = None
        self._probing = asyncio.Lock()
        self._probed_at = -_PROBE_SECONDS
        self._ready = False

    def append(self, delivery: Delivery) -> Awaitable[Receipt]:
        """Hand in a delivery; awaiting the answer waits for its commit.

        Raises `NotKept`, now or when awaited, if there is no commit in time; the delivery may be kept even so.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        lane = self._lanes.get(delivery.source)
        if lane is None:
            lane = self._lanes[delivery.source] = _Lane()
        if now < self._away_until or lane.stalled or self._is_full(delivery):
            raise NotKept
        waiting = _Waiting(delivery, loop.create_future(), now)
        lane.waiting.append(waiting)
        self._pending += 1
        self._pending_bytes += len(delivery.body)
        if delivery.source not in self._writers:
            self._writers[delivery.source] = loop.create_task(self._write(delivery.source, lane))
        return waiting.receipt

    async def is_ready(self) -> bool:
        """Whether an append would be taken now. Looked up once a second at the most, however often it is asked."""
        async with self._probing:
            now = asyncio.get_running_loop().time()
            if now >= self._probed_at + _PROBE_SECONDS:
                self._ready = await self._probe()
                self._probed_at = asyncio.get_running_loop().time()
            return self._ready

    async def _probe(self) -> bool:
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                return await self._with_connection(can_append)
        except (psycopg.Error, TimeoutError):
            return False

    @asynccontextmanager
    async def running(self) -> AsyncIterator["GroupCommit"]:
        """Open for the block; at its end what was accepted is committed and answered, then the connections close."""
        self._watcher = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            await self._finish()
            self._watcher.cancel()
            for connection in self._idle:
                await connection.close()

    async def _finish(self) -> None:
        """Let the commits under way end. One that hangs is given up: its senders were told to try again long ago."""
        writers = list(self._writers.values())
        if writers:
            _, hanging = await asyncio.wait(writers, timeout=self._limits.answer_seconds)
            for writer in hanging:
                writer.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)

    def _is_full(self, delivery: Delivery) -> bool:
        return (
            self._pending >= self._limits.pending
            or self._pending_bytes + len(delivery.body) > self._limits.pending_bytes
        )

    async def _write(self, source: str, lane: _Lane) -> None:
        """Commit what waits for this source, batch after batch, until nothing does."""
        try:
            while lane.waiting:
                lane.in_flight = _next_batch(lane.waiting)
                try:
                    await self._commit(source, lane.in_flight)
                finally:
                    self._settle(lane.in_flight)
                    lane.in_flight = []
                    lane.stalled = False
        finally:
            del self._writers[source]
            if not lane.waiting:
                self._lanes.pop(source, None)

    async def _commit(self, source: str, batch: Sequence[_Waiting]) -> None:
        """Append a batch and give out the receipts; whoever gets none is refused when the batch is settled."""
        deliveries = [waiting.delivery for waiting in batch]
        try:
            receipts = await self._with_connection(lambda connection: append(connection, source, deliveries))
        except psycopg.Error as error:
            if not blames_the_data(error):
                self._refuse_all(error)
            elif len(batch) > 1:
                await self._commit_alone(source, batch)
            else:
                fields = {"source": source, "sqlstate": error.sqlstate}
                log.error("delivery refused by the database", extra={"fields": fields})
            return
        for waiting, receipt in zip(batch, receipts, strict=True):
            if not waiting.receipt.done():
                waiting.receipt.set_result(receipt)

    async def _commit_alone(self, source: str, batch: Sequence[_Waiting]) -> None:
        """The database refuses one of them: each by itself, so that it fails alone; none once the database is away."""
        for waiting in batch:
            if asyncio.get_running_loop().time() < self._away_until:
                return
            await self._commit(source, [waiting])

    async def _with_connection(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Work on a kept connection; if the database closed it meanwhile, once more on a new one."""
        async with self._slots:
            while self._idle:
                connection = self._idle.pop()
                try:
                    return await self._work(connection, work)
                except psycopg.Error:
                    if not connection.closed:
                        raise
            return await self._work(await self._open(), work)

    async def _work(self, connection: Connection, work: Callable[[Connection], Awaitable[T]]) -> T:
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

    def _refuse_all(self, error: psycopg.Error) -> None:
        """The database is away: let everybody try again later, and spare it for a moment."""
        self._away_until = asyncio.get_running_loop().time() + _AWAY_SECONDS
        refused = 0
        for lane in self._lanes.values():
            refused += len(lane.waiting) + len(lane.in_flight)
            self._settle(lane.waiting)
            lane.waiting.clear()
        cause = error.__cause__ or error
        fields = {"refused": refused, "error": type(cause).__name__, "sqlstate": getattr(cause, "sqlstate", None)}
        log.error("database cannot append", extra={"fields": fields})

    def _settle(self, batch: Collection[_Waiting]) -> None:
        """Take deliveries off the books; whoever has no receipt by now gets none."""
        self._pending -= len(batch)
        for waiting in batch:
            self._pending_bytes -= len(waiting.delivery.body)
            if not waiting.receipt.done():
                waiting.receipt.set_exception(NotKept())

    async def _watch(self) -> None:
        """Refuse whatever waits too long. Its commit may still succeed; then the redelivery is a duplicate."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            too_old = asyncio.get_running_loop().time() - self._limits.answer_seconds
            for source, lane in list(self._lanes.items()):
                if lane.in_flight and lane.in_flight[0].since < too_old and not lane.stalled:
                    lane.stalled = True
                    log.error("database slow", extra={"fields": {"source": source, "refused": len(lane.in_flight)}})
                    for waiting in lane.in_flight:
                        if not waiting.receipt.done():
                            waiting.receipt.set_exception(NotKept())
                while lane.waiting and (lane.stalled or lane.waiting[0].since < too_old):
                    self._settle([lane.waiting.popleft()])


def _next_batch(waiting: deque[_Waiting]) -> list[_Waiting]:
    batch = [waiting.popleft()]
    size = len(batch[0].delivery.body)
    while waiting and len(batch) < MOST_IN_BATCH and size < MOST_BYTES_IN_BATCH:
        batch.append(waiting.popleft())
        size += len(batch[-1].delivery.body)
    return batch
