"""Commits deliveries that arrive together in one transaction, and answers each by itself; bounds how much waits."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import psycopg

from ingest.connections import Connections
from ingest.driver import NoAnswer
from ingest.log.append import append
from ingest.log.event import Delivery, Receipt
from ingest.metrics import COMMIT_DELIVERIES, COMMIT_SECONDS, PENDING_BYTES, PENDING_DELIVERIES, Histogram, Reading
from ingest.sqlstate import (
    blames_the_data,
    error_fields,
    fails_with_any_data,
    is_blocked,
    is_elsewhere,
    why_unwritable,
)

logger = logging.getLogger(__name__)

MOST_IN_BATCH = 256
MOST_BYTES_IN_BATCH = 8_388_608
_MOST_NAMED = 5  # sources
_WATCH_SECONDS = 0.1  # between two searches for deliveries that have waited too long
_AWAY_SECONDS = 0.5  # for so long after the database failed, every delivery is refused at once
_FAILING_SECONDS = 5.0  # for so long after it failed the server is not ready, unless a commit succeeds
_WAITING = 0.95  # the part of a delivery's time that may go to waiting for its commit; the rest is for the answer


class NotKept(Exception):
    """The delivery could not be made durable now; its sender has to deliver it again."""


class TakenElsewhere(NotKept):
    """The source has moved to another database, or is still being copied to this one: nothing is wrong here."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many deliveries may wait, how many bytes of bodies, and how many seconds until a delivery is answered."""

    pending: int
    pending_bytes: int
    answer_seconds: float

    def among(self, processes: int, largest_body: int) -> "Limits":
        """Those of each process, so that all processes of a server together keep these; a largest body fits always."""
        pending, pending_bytes = (-(-most // processes) for most in (self.pending, self.pending_bytes))
        return Limits(pending, max(pending_bytes, largest_body), self.answer_seconds)


@dataclass(slots=True, eq=False)
class _Pending:
    """A delivery, the future of its receipt, and the loop's time in seconds at which it was queued."""

    delivery: Delivery
    receipt: asyncio.Future[Receipt]
    since: float


@dataclass(slots=True)
class _Lane:
    """One source's deliveries: those that wait, and those whose commit is under way. `stalled`: that takes too long."""

    waiting: deque[_Pending] = field(default_factory=deque)
    in_flight: list[_Pending] = field(default_factory=list)
    stalled: bool = False


class GroupCommit:
    """Appends a server's deliveries. Each source has one commit under way; what arrives meanwhile is its next batch.

    A source whose last batch was held up uses connections beside those of the others, and has one delivery waiting.
    """

    def __init__(self, connections: Connections, limits: Limits) -> None:
        self._connections = connections
        self._limits = limits
        self._lanes: dict[str, _Lane] = {}
        self._writers: dict[str, asyncio.Task[None]] = {}
        self._held_up: set[str] = set()  # sources
        self._pending_count = 0
        self._pending_bytes = 0
        self._away_until = 0.0
        self._failing_until = 0.0
        self._failing_why = ""
        self._failing_lanes: dict[str, float] = {}  # by source, until when its last failure makes it not ready
        self._watcher: asyncio.Task[None] | None = None
        self._seconds = Histogram(COMMIT_SECONDS.bounds)
        self._sizes = Histogram(COMMIT_DELIVERIES.bounds)

    def readings(self) -> list[Reading]:
        """The metrics of the commits, and of what waits for one."""
        return [
            Reading(COMMIT_SECONDS, (), self._seconds),
            Reading(COMMIT_DELIVERIES, (), self._sizes),
            Reading(PENDING_DELIVERIES, (), self._pending_count),
            Reading(PENDING_BYTES, (), self._pending_bytes),
        ]

    def append(self, delivery: Delivery) -> asyncio.Future[Receipt]:
        """Queue a delivery; the future gives its receipt once it is committed.

        The future raises `NotKept` if there is no commit in time; the delivery may be in the log even so. With
        `TakenElsewhere` it is not.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        receipt: asyncio.Future[Receipt] = loop.create_future()
        lane = self._lanes.get(delivery.source)
        if lane is None:
            lane = self._lanes[delivery.source] = _Lane()
        is_busy = delivery.source in self._held_up and (lane.waiting or lane.in_flight)
        if now < self._away_until or lane.stalled or is_busy or self._is_full(delivery):
            receipt.set_exception(NotKept())
            return receipt
        lane.waiting.append(_Pending(delivery, receipt, now))
        self._pending_count += 1
        self._pending_bytes += len(delivery.body)
        if delivery.source not in self._writers:
            self._writers[delivery.source] = loop.create_task(self._write(delivery.source, lane))
        return receipt

    async def hindrance(self) -> str | None:
        """Why an append would not succeed now; None if it would."""
        now = asyncio.get_running_loop().time()
        failing = {source for source, until in self._failing_lanes.items() if now < until}
        stalled = sorted(failing | {source for source, lane in self._lanes.items() if lane.stalled})
        if stalled:
            return f"no commit in time for {', '.join(stalled[:_MOST_NAMED])}"
        if now < self._failing_until:
            return self._failing_why
        return None if await self._connections.is_ready() else "the database takes no append"

    def remark(self) -> str | None:
        """What a person should know of the database though it takes appends, as of the last `hindrance`."""
        return self._connections.remark

    @asynccontextmanager
    async def running(self) -> AsyncIterator["GroupCommit"]:
        """Run for the block; at its end commit and answer what is queued, then close the connections."""
        self._watcher = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            await self._finish()
            self._watcher.cancel()
            await self._connections.close()

    async def _finish(self) -> None:
        """Wait for the commits under way, with those that begin meanwhile. One that hangs is cancelled: its deliveries
        were refused long ago.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.answer_seconds):
                while self._writers:
                    await asyncio.wait(self._writers.values())
        hanging = list(self._writers.values())
        for writer in hanging:
            writer.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)

    def _is_full(self, delivery: Delivery) -> bool:
        return (
            self._pending_count >= self._limits.pending
            or self._pending_bytes + len(delivery.body) > self._limits.pending_bytes
        )

    async def _write(self, source: str, lane: _Lane) -> None:
        """Commit the source's deliveries, batch after batch, until none waits."""
        try:
            while lane.waiting:
                lane.in_flight = _next_batch(lane.waiting)
                try:
                    await self._commit(source, lane.in_flight)
                finally:
                    self._release(lane.in_flight)
                    lane.in_flight = []
        finally:
            del self._writers[source]
            if not lane.waiting:
                self._lanes.pop(source, None)

    async def _commit(self, source: str, batch: Sequence[_Pending]) -> None:
        """Append a batch and set its receipts; a delivery without one is refused when the batch is released."""
        deliveries = [pending.delivery for pending in batch]
        begun = time.monotonic()  # the loop's time is exact to a millisecond only
        use = self._connections.use_patiently if source in self._held_up else self._connections.use
        try:
            receipts = await use(lambda connection: append(connection, source, deliveries))
        except psycopg.Error as error:
            await self._on_failure(source, batch, error)
            return
        self._failing_until = 0.0
        if source in self._held_up:
            self._held_up.discard(source)
            self._failing_lanes.pop(source, None)
        self._seconds.observe(time.monotonic() - begun)
        self._sizes.observe(len(batch))
        for pending, receipt in zip(batch, receipts, strict=True):
            if not pending.receipt.done():
                pending.receipt.set_result(receipt)

    async def _on_failure(self, source: str, batch: Sequence[_Pending], error: psycopg.Error) -> None:
        if is_elsewhere(error):
            self._held_up.discard(source)
            for pending in batch:
                if not pending.receipt.done():
                    pending.receipt.set_exception(TakenElsewhere())
        elif blames_the_data(error):
            self._held_up.discard(source)
            if len(batch) > 1:
                await self._commit_one_by_one(source, batch)
            else:
                fields = {"source": source, **error_fields(error)}
                logger.error("delivery refused by the database", extra={"fields": fields})
        elif is_blocked(error) and source not in self._held_up:
            self._held_up.add(source)
            await self._commit(source, batch)  # nothing was appended; now the lock is waited for
        elif fails_with_any_data(error) and not isinstance(error, NoAnswer) and source not in self._held_up:
            self._refuse_all(error)
        else:
            self._refuse_lane(source, error)

    async def _commit_one_by_one(self, source: str, batch: Sequence[_Pending]) -> None:
        """Commit each delivery by itself, so that only one with refused data fails; stop if none can be committed."""
        for pending in batch:
            await self._commit(source, [pending])
            if source in self._held_up or asyncio.get_running_loop().time() < self._away_until:
                return

    def _refuse_lane(self, source: str, error: psycopg.Error) -> None:
        """Refuse a source's waiting deliveries: its commit has taken too long, or fails as no other source's does."""
        self._held_up.add(source)
        self._failing_lanes[source] = asyncio.get_running_loop().time() + _FAILING_SECONDS
        lane = self._lanes[source]
        fields = {"source": source, "refused": len(lane.waiting) + len(lane.in_flight), **error_fields(error)}
        logger.error("no commit in time", extra={"fields": fields})
        self._release(lane.waiting)
        lane.waiting.clear()

    def _refuse_all(self, error: psycopg.Error) -> None:
        """Refuse every waiting delivery, and for a moment every new one: the database cannot append."""
        now = asyncio.get_running_loop().time()
        self._away_until, self._failing_until = now + _AWAY_SECONDS, now + _FAILING_SECONDS
        refused = 0
        for lane in self._lanes.values():
            refused += len(lane.waiting) + len(lane.in_flight)
            self._release(lane.waiting)
            lane.waiting.clear()
        cause = error.__cause__ if isinstance(error.__cause__, psycopg.Error) else error
        self._failing_why = why_unwritable(error) or "the last commit failed"
        fields = {"refused": refused, **error_fields(cause)}
        logger.error("database cannot append", extra={"fields": fields})

    def _release(self, batch: Collection[_Pending]) -> None:
        """Count these deliveries as pending no longer, and refuse those without a receipt."""
        self._pending_count -= len(batch)
        for pending in batch:
            self._pending_bytes -= len(pending.delivery.body)
            if not pending.receipt.done():
                pending.receipt.set_exception(NotKept())

    async def _watch(self) -> None:
        """Refuse deliveries that wait too long. Their commit may still succeed; the redelivery is then a duplicate."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            too_old = asyncio.get_running_loop().time() - self._limits.answer_seconds * _WAITING + _WATCH_SECONDS
            for source, lane in list(self._lanes.items()):
                if lane.in_flight and lane.in_flight[0].since < too_old and not lane.stalled:
                    lane.stalled = True
                    logger.error("database slow", extra={"fields": {"source": source, "refused": len(lane.in_flight)}})
                    for pending in lane.in_flight:
                        if not pending.receipt.done():
                            pending.receipt.set_exception(NotKept())
                while lane.waiting and (lane.stalled or lane.waiting[0].since < too_old):
                    self._release([lane.waiting.popleft()])


def _next_batch(waiting: deque[_Pending]) -> list[_Pending]:
    batch = [waiting.popleft()]
    size = len(batch[0].delivery.body)
    while waiting and len(batch) < MOST_IN_BATCH and size < MOST_BYTES_IN_BATCH:
        batch.append(waiting.popleft())
        size += len(batch[-1].delivery.body)
    return batch
