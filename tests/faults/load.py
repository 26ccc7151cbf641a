"""The simulator's load on two servers, and its record: what was sent, what was answered 200, what is in flight."""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ingest.simulator.deliver import Target, deliver
from ingest.simulator.plan import Amount, Planned, Wishes, plan

RATE = 60.0  # deliveries a second, to each server
_SLICE_SECONDS = 3.0
_NEVER_GIVE_UP = 10_000  # attempts


class Load:
    """Delivers until it is stopped, then until every delivery was answered 200."""

    def __init__(self, urls: Sequence[str], secret: bytes, seed: int) -> None:
        self._urls = urls
        self._secret = secret
        self._seed = seed
        self._stop = threading.Event()
        self._waiting: set[bytes] = set()
        self.sent: set[bytes] = set()
        self.accepted: dict[bytes, float] = {}  # by body, the moment of the first 200
        self.refused = 0
        self.damaged_accepted = 0

    @property
    def in_flight(self) -> int:
        """Deliveries that were begun and not answered 200 so far."""
        return len(self._waiting)

    def accept(self, body: bytes) -> None:
        """Note a delivery of another sender that was answered 200."""
        self.sent.add(body)
        self.accepted.setdefault(body, time.monotonic())

    @contextmanager
    def running(self) -> Iterator["Load"]:
        thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            number = 0
            while not self._stop.is_set():
                for url in self._urls:
                    number += 1
                    tasks.create_task(self._deliver(url, number))
                await asyncio.sleep(_SLICE_SECONDS)

    async def _deliver(self, url: str, number: int) -> None:
        count = int(RATE * _SLICE_SECONDS)
        some = Amount(0.05, is_share=True)
        # Few people with many changes each, so that folds update and redeliveries come late.
        wishes = Wishes(count, count // 3, some, some, Amount(1), self._seed * 1_000_000 + number)
        planned = [*plan(wishes), Planned(_poison(number))]
        good = {each.body for each in planned if not each.damaged}
        self.sent |= good
        target = Target(url, self._secret, concurrency=32, rate=RATE, attempts=_NEVER_GIVE_UP)
        await deliver(_Noted(planned, self._waiting), target, lambda: None, self._hear)

    def _hear(self, planned: Planned, status: int | None) -> None:
        if status != 200:
            self.refused += 1
        elif planned.damaged:
            self.damaged_accepted += 1
        else:
            self.accepted.setdefault(planned.body, time.monotonic())
            self._waiting.discard(planned.body)


def _poison(number: int) -> bytes:
    """A body of most of a megabyte that costs as much work as such a body can."""
    lists = b",".join([b"[]"] * 300_000)
    return b'{"type": "event.participant.created", "data": {"object": {"id": "poison-%d", "x": [%s]}}}' % (
        number,
        lists,
    )


class _Noted(list[Planned]):
    """A plan that notes the body of each good delivery when its turn comes."""

    def __init__(self, planned: Sequence[Planned], begun: set[bytes]) -> None:
        super().__init__(planned)
        self._begun = begun

    def __iter__(self) -> Iterator[Planned]:
        for each in super().__iter__():
            if not each.damaged:
                self._begun.add(each.body)
            yield each
