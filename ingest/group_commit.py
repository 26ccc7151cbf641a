"""Puts deliveries that arrive together into one commit, and answers each for itself. Bounded in number, bytes, time."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psycopg

from ingest.connections import Connections
from ingest.log.append import append
from ingest.log.event import Delivery, Receipt
from ingest.sqlstate import blames_the_data

logger = logging.getLogger(__name__)

MOST_IN_BATCH = 256
MOST_BYTES_IN_BATCH = 8_388_608
_WATCH_SECONDS = 0.1
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

    def __init__(self, connections: Connections, limits: Limits) -> None:
        self._connections = connections
        self._limits = limits
        self._lanes: dict[str, _Lane] = {}
        self._writers: dict[str, asyncio.Task[None]] = {}
        self._pending = 0
        self._pending_bytes = 0
        self._away_until = 0.0
        self._watcher: asyncio.Task[None] | None = None

    def append(self, delivery: Delivery) -> asyncio.Future[Receipt]:
        """Hand in a delivery; awaiting the answer waits for its commit.

        Awaited, it raises `NotKept` if there is no commit in time; the delivery may be kept even so.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        receipt: asyncio.Future[Receipt] = loop.create_future()
        lane = self._lanes.get(delivery.source)
        if lane is None:
            lane = self._lanes[delivery.source] = _Lane()
        if now < self._away_until or lane.stalled or self._is_full(delivery):
            receipt.set_exception(NotKept())
            return receipt
        lane.waiting.append(_Waiting(delivery, receipt, now))
        self._pending += 1
        self._pending_bytes += len(delivery.body)
        if delivery.source not in self._writers:
            self._writers[delivery.source] = loop.create_task(self._write(delivery.source, lane))
        return receipt

    async def is_ready(self) -> bool:
        """Whether an append would be taken now."""
        return await self._connections.is_ready()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["GroupCommit"]:
        """Open for the block; at its end what was accepted is committed and answered, then the connections close."""
        self._watcher = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            await self._finish()
            self._watcher.cancel()
            await self._connections.close()

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
            receipts = await self._connections.use(lambda connection: append(connection, source, deliveries))
        except psycopg.Error as error:
            if not blames_the_data(error):
                self._refuse_all(error)
            elif len(batch) > 1:
                await self._commit_alone(source, batch)
            else:
                fields = {"source": source, "sqlstate": error.sqlstate}
                logger.error("delivery refused by the database", extra={"fields": fields})
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
        logger.error("database cannot append", extra={"fields": fields})

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
                    logger.error("database slow", extra={"fields": {"source": source, "refused": len(lane.in_flight)}})
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
