"""Deliveries that wait for their commit, each source's in the order of their arrival; bounds how many, and how long."""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ingest.log.event import Delivery, Receipt
from ingest.metrics import PENDING_BYTES, PENDING_DELIVERIES, Reading

logger = logging.getLogger(__name__)

MOST_IN_BATCH = 256
MOST_BYTES_IN_BATCH = 8_388_608
_WATCH_SECONDS = 0.1  # between two searches for deliveries that have waited too long
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
class Pending:
    """A delivery, the future of its receipt, and the loop's time in seconds at which it was queued."""

    delivery: Delivery
    receipt: asyncio.Future[Receipt]
    since: float


@dataclass(slots=True, eq=False)
class Lane:
    """One source's deliveries: those that wait, and those whose commit is under way. `stalled`: that takes too long."""

    source: str
    waiting: deque[Pending] = field(default_factory=deque)
    in_flight: list[Pending] = field(default_factory=list)
    stalled: bool = False

    def depart(self, most: int = MOST_IN_BATCH, most_bytes: int = MOST_BYTES_IN_BATCH) -> int:
        """Take the next batch: one delivery, and more while they are within both bounds; gives its bytes."""
        size = 0
        while self.waiting and len(self.in_flight) < most and (size < most_bytes or not self.in_flight):
            self.in_flight.append(self.waiting.popleft())
            size += len(self.in_flight[-1].delivery.body)
        return size


class Lanes:
    """The lanes of a server's sources, each for as long as it has a delivery."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lanes: dict[str, Lane] = {}
        self._ready: dict[str, None] = {}  # sources that wait for a transaction, in the order in which they began to
        self._count = 0
        self._bytes = 0

    def readings(self) -> list[Reading]:
        """The metrics of what waits for a commit."""
        return [Reading(PENDING_DELIVERIES, (), self._count), Reading(PENDING_BYTES, (), self._bytes)]

    def get(self, source: str) -> Lane | None:
        """The source's lane; None if it has no delivery."""
        return self._lanes.get(source)

    def is_full(self, delivery: Delivery) -> bool:
        """Whether there is no room for this delivery."""
        is_heavy = self._bytes + len(delivery.body) > self._limits.pending_bytes
        return is_heavy or self._count >= self._limits.pending

    def add(self, pending: Pending) -> Lane:
        """Let a delivery wait behind the others of its source, in the lane that is given."""
        source = pending.delivery.source
        lane = self._lanes.get(source)
        if lane is None:
            lane = self._lanes[source] = Lane(source)
        lane.waiting.append(pending)
        self._count += 1
        self._bytes += len(pending.delivery.body)
        return lane

    def queue(self, lane: Lane) -> None:
        """Let a lane wait for a transaction."""
        self._ready[lane.source] = None

    @property
    def are_ready(self) -> bool:
        """Whether lanes wait for a transaction."""
        return bool(self._ready)

    def depart(self, most: int) -> list[Lane]:
        """The lanes whose next batches share a transaction, `most` of them, within the bounds of a batch together."""
        lanes: list[Lane] = []
        room, room_bytes = MOST_IN_BATCH, MOST_BYTES_IN_BATCH
        while self._ready and room > 0 and room_bytes > 0 and len(lanes) < most:
            source = next(iter(self._ready))
            del self._ready[source]
            lane = self._lanes.get(source)
            if lane is not None and lane.waiting:  # else what waited was refused meanwhile
                room_bytes -= lane.depart(room, room_bytes)
                room -= len(lane.in_flight)
                lanes.append(lane)
        return lanes

    def arrive(self, lane: Lane) -> None:
        """End the lane's commit: what it left without a receipt is refused."""
        self._release(lane.in_flight)
        lane.in_flight = []
        self._tidy(lane)

    def _tidy(self, lane: Lane) -> None:
        """Forget a lane without a delivery."""
        if not lane.waiting and not lane.in_flight:
            del self._lanes[lane.source]

    def refuse_waiting(self, lanes: Iterable[Lane]) -> int:
        """Refuse what waits in these lanes; gives how many deliveries will not be kept, with those under way."""
        refused = 0
        for lane in lanes:
            refused += len(lane.waiting) + len(lane.in_flight)
            self._release(lane.waiting)
            lane.waiting.clear()
            self._tidy(lane)
        return refused

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    async def watch(self) -> None:
        """Refuse deliveries that wait too long. Their commit may still succeed; the redelivery is then a duplicate."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            waits = self._limits.answer_seconds * _WAITING - _WATCH_SECONDS
            self._refuse_older(asyncio.get_running_loop().time() - waits)

    def _refuse_older(self, moment: float) -> None:
        for lane in self:
            if lane.in_flight and lane.in_flight[0].since < moment and not lane.stalled:
                lane.stalled = True
                fields = {"source": lane.source, "refused": len(lane.in_flight)}
                logger.error("database slow", extra={"fields": fields})
                for pending in lane.in_flight:
                    if not pending.receipt.done():
                        pending.receipt.set_exception(NotKept())
            while lane.waiting and (lane.stalled or lane.waiting[0].since < moment):
                self._release([lane.waiting.popleft()])
            self._tidy(lane)

    def _release(self, batch: Collection[Pending]) -> None:
        """Count these deliveries as pending no longer, and refuse those without a receipt."""
        self._count -= len(batch)
        for pending in batch:
            self._bytes -= len(pending.delivery.body)
            if not pending.receipt.done():
                pending.receipt.set_exception(NotKept())


def give(receipts: Sequence[Receipt], batch: Sequence[Pending]) -> None:
    """Answer the deliveries of a batch that nobody has refused meanwhile."""
    for pending, receipt in zip(batch, receipts, strict=True):
        if not pending.receipt.done():
            pending.receipt.set_result(receipt)
