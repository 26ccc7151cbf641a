"""Commits deliveries that arrive together in one transaction, and answers each by itself."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import psycopg

from ingest.commit_failures import MOST_TOLD, CommitFailures
from ingest.connections import Connections
from ingest.driver import NoAnswer
from ingest.lanes import Lane, Lanes, Limits, NotKept, Pending, TakenElsewhere, give
from ingest.log.append import append, append_within
from ingest.log.event import Delivery, Receipt
from ingest.metrics import COMMIT_DELIVERIES, COMMIT_SECONDS, Histogram, Reading
from ingest.sqlstate import (
    blames_the_data,
    error_fields,
    fails_with_any_data,
    is_blocked,
    is_cancelled,
    is_elsewhere,
    why_unwritable,
)
from ingest.writers import Writers

logger = logging.getLogger(__name__)

_MOST_SOURCES = 64  # in one transaction: it holds their locks to its end
_SHARED_PART = 0.5  # of a delivery's time, for a shared transaction


class GroupCommit:
    """Appends a server's deliveries. Each source has one commit under way; what arrives meanwhile is its next batch.

    Sources whose batches are ready together share a transaction. One whose last commit failed has its own; if it was
    held up, it uses connections beside those of the others, and has one delivery waiting.
    """

    def __init__(self, connections: Connections, limits: Limits) -> None:
        self._connections = connections
        self._limits = limits
        self._lanes = Lanes(limits)
        self._writers = Writers(self._lanes, self._write_shared, self._room, connections.most)
        self._most_sources = _MOST_SOURCES  # of one transaction, now
        self._may_share = True  # until the database says that each source's log is written by itself
        self._apart: set[str] = set()  # sources whose last commit failed
        self._held_up: set[str] = set()  # those of them whose commit had to wait for too long
        self._failures = CommitFailures()
        self._watcher: asyncio.Task[None] | None = None
        self._seconds = Histogram(COMMIT_SECONDS.bounds)
        self._sizes = Histogram(COMMIT_DELIVERIES.bounds)

    def readings(self) -> list[Reading]:
        """The metrics of the commits, and of what waits for one."""
        commits = [Reading(COMMIT_SECONDS, (), self._seconds), Reading(COMMIT_DELIVERIES, (), self._sizes)]
        return [*commits, *self._lanes.readings()]

    def append(self, delivery: Delivery) -> asyncio.Future[Receipt]:
        """Queue a delivery; the future gives its receipt once it is committed.

        The future raises `NotKept` if there is no commit in time; the delivery may be in the log even so. With
        `TakenElsewhere` it is not.
        """
        loop = asyncio.get_running_loop()
        receipt: asyncio.Future[Receipt] = loop.create_future()
        if self._failures.is_away or self._lanes.is_full(delivery) or self._is_stuck(delivery.source):
            receipt.set_exception(NotKept())
            return receipt
        self._begin(self._lanes.add(Pending(delivery, receipt, loop.time())))
        self._writers.share()
        return receipt

    async def hindrance(self) -> str | None:
        """Why an append would not succeed now; None if it would."""
        failed = self._failures.hindrance(lane.source for lane in self._lanes if lane.stalled)
        if failed is not None:
            return failed
        return None if await self._connections.is_ready() else "the database takes no append"

    def remark(self) -> str | None:
        """What a person should know of the database though it takes appends, as of the last `hindrance`."""
        return self._connections.remark

    @asynccontextmanager
    async def running(self) -> AsyncIterator["GroupCommit"]:
        """Run for the block; at its end commit and answer what is queued, then close the connections."""
        self._watcher = asyncio.create_task(self._lanes.watch())
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
        await self._writers.finish(self._limits.answer_seconds)
        self._lanes.refuse_waiting(self._lanes)
        await self._writers.cancel()
        for lane in self._lanes:  # of a writer that was cancelled before it began
            self._lanes.arrive(lane)

    def _is_stuck(self, source: str) -> bool:
        """Whether a source's next delivery would wait behind one that is held up."""
        lane = self._lanes.get(source)
        return lane is not None and (lane.stalled or source in self._held_up)

    def _begin(self, lane: Lane) -> None:
        """See that the lane's next batch is committed, unless it waits for that already or one is under way."""
        if lane.in_flight or not lane.waiting:
            return
        if lane.source in self._apart:
            lane.depart()
            self._writers.start(self._write_apart(lane))
        else:
            self._lanes.queue(lane)

    def _room(self) -> int:
        """How many sources share a transaction now."""
        return self._most_sources if self._may_share else 1

    def _arrive(self, lanes: Sequence[Lane]) -> None:
        """End the commit of these lanes; each begins with its next one."""
        for lane in lanes:
            self._lanes.arrive(lane)
            self._begin(lane)

    async def _write_shared(self, lanes: Sequence[Lane]) -> None:
        """Commit the batches of these lanes in one transaction; if that cannot be, each in its own.

        A transaction of its own is another writer's: however long it waits, this one goes on with what is ready.
        """
        arrived = lanes
        try:
            if not await self._commit_together(lanes):
                arrived = []
                for lane in lanes:
                    self._writers.start(self._write_apart(lane))
        finally:
            self._arrive(arrived)

    async def _write_apart(self, lane: Lane) -> None:
        """Commit a lane's batch in a transaction of its own."""
        try:
            await self._commit(lane, lane.in_flight)
        finally:
            self._arrive([lane])

    async def _commit_together(self, lanes: Sequence[Lane]) -> bool:
        """Append these lanes' batches and set the receipts. False: nothing was; each is to be appended by itself."""
        batches = {lane.source: [pending.delivery for pending in lane.in_flight] for lane in lanes}
        # What holds several up may be of one alone: the rest of the time is for each by itself.
        seconds = None if len(lanes) == 1 else self._limits.answer_seconds * _SHARED_PART
        begun = time.monotonic()
        try:
            receipts = await self._connections.use(partial(append_within, batches, seconds))
        except psycopg.Error as error:
            return self._is_settled(lanes, error)
        if receipts is None:
            self._may_share = False
            return False
        self._most_sources = min(_MOST_SOURCES, self._most_sources + 1)
        self._note_commit(begun, sum(map(len, batches.values())))
        for lane in lanes:
            give(receipts[lane.source], lane.in_flight)
        return True

    def _is_settled(self, lanes: Sequence[Lane], error: psycopg.Error) -> bool:
        """Refuse what cannot be kept after this error of a common commit. False: each may be appended by itself."""
        is_alone = len(lanes) == 1
        if _is_of_all(error):
            self._refuse_all(error)
        elif isinstance(error, NoAnswer) or (is_alone and is_cancelled(error)):
            self._set_apart(lanes, error)
        else:
            if is_alone and is_blocked(error):
                self._apart.add(lanes[0].source)
                self._held_up.add(lanes[0].source)
            elif is_blocked(error) or is_cancelled(error):  # perhaps by the transaction of another server
                self._most_sources = max(1, self._most_sources // 2)
            return False
        return True

    async def _commit(self, lane: Lane, batch: Sequence[Pending]) -> None:
        """Append one source's batch and set the receipts; without one, a delivery is refused when its lane arrives."""
        source, deliveries = lane.source, [pending.delivery for pending in batch]
        begun = time.monotonic()  # the loop's time is exact to a millisecond only
        use = self._connections.use_patiently if source in self._held_up else self._connections.use
        try:
            receipts = await use(lambda connection: append(connection, source, deliveries))
        except psycopg.Error as error:
            self._apart.add(source)
            await self._on_failure(lane, batch, error)
            return
        self._apart.discard(source)
        if source in self._held_up:
            self._held_up.discard(source)
            self._failures.note_end(source)
        self._note_commit(begun, len(batch))
        give(receipts, batch)

    def _note_commit(self, begun: float, deliveries: int) -> None:
        self._failures.note_success()
        self._seconds.observe(time.monotonic() - begun)
        self._sizes.observe(deliveries)

    async def _on_failure(self, lane: Lane, batch: Sequence[Pending], error: psycopg.Error) -> None:
        source = lane.source
        if is_elsewhere(error):
            self._held_up.discard(source)
            for pending in batch:
                if not pending.receipt.done():
                    pending.receipt.set_exception(TakenElsewhere())
        elif blames_the_data(error):
            self._held_up.discard(source)
            if len(batch) > 1:
                await self._commit_one_by_one(lane, batch)
            else:
                fields = {"source": source, **error_fields(error)}
                logger.error("delivery refused by the database", extra={"fields": fields})
        elif is_blocked(error) and source not in self._held_up:
            self._held_up.add(source)
            await self._commit(lane, batch)  # nothing was appended; now the lock is waited for
        elif _is_of_all(error) and source not in self._held_up:
            self._refuse_all(error)
        else:
            self._refuse_lane(lane, error)

    async def _commit_one_by_one(self, lane: Lane, batch: Sequence[Pending]) -> None:
        """Commit each delivery by itself, so that only one with refused data fails; stop if none can be committed."""
        for pending in batch:
            await self._commit(lane, [pending])
            if lane.source in self._held_up or self._failures.is_away:
                return

    def _set_apart(self, lanes: Sequence[Lane], error: psycopg.Error) -> None:
        """Let the next batch of each lane have a transaction of its own: the time for this one is over."""
        if len(lanes) == 1:
            self._refuse_lane(lanes[0], error)
            return
        sources, refused = [lane.source for lane in lanes], sum(len(lane.in_flight) for lane in lanes)
        self._apart.update(sources)
        self._failures.note_shared(sources)
        fields = {"sources": sources[:MOST_TOLD], "refused": refused, **error_fields(error)}
        logger.error("no commit in time", extra={"fields": fields})

    def _refuse_lane(self, lane: Lane, error: psycopg.Error) -> None:
        """Refuse a source's waiting deliveries: its commit has taken too long, or fails as no other source's does."""
        self._apart.add(lane.source)
        self._held_up.add(lane.source)
        self._failures.note_source(lane.source)
        fields = {"source": lane.source, "refused": self._lanes.refuse_waiting([lane]), **error_fields(error)}
        logger.error("no commit in time", extra={"fields": fields})

    def _refuse_all(self, error: psycopg.Error) -> None:
        """Refuse every waiting delivery, and for a moment every new one: the database cannot append."""
        self._failures.note_away(why_unwritable(error) or "the last commit failed")
        refused = self._lanes.refuse_waiting(self._lanes)
        cause = error.__cause__ if isinstance(error.__cause__, psycopg.Error) else error
        fields = {"refused": refused, **error_fields(cause)}
        logger.error("database cannot append", extra={"fields": fields})


def _is_of_all(error: psycopg.Error) -> bool:
    """Whether any append would fail so. What has not been answered in time says nothing of the others."""
    return fails_with_any_data(error) and not isinstance(error, NoAnswer)
