"""The tasks that commit what waits in lanes: when one more begins, what it takes, and how all of them end."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

from ingest.lanes import Lane, Lanes

_SOON = 0.02  # seconds in which a shared transaction mostly ends: until then, what is ready waits for it


class Writers:
    """Writers that take what is ready, and tasks that write one lane apart.

    One writer takes what is ready, transaction after transaction: what arrives meanwhile is in the next, so that many
    sources share one. Up to `most` at once, another one begins if a transaction takes longer than a moment, or had no
    room for all. `depart` gives the lanes of the next transaction, and `write` writes them.
    """

    def __init__(
        self,
        lanes: Lanes,
        depart: Callable[[], list[Lane]],
        write: Callable[[list[Lane]], Awaitable[None]],
        most: int,
    ) -> None:
        self._lanes = lanes
        self._depart = depart
        self._write = write
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()
        self._sharing = 0  # writers that take what is ready
        self._taken_at = float("-inf")  # the loop's time when one of them took all that was ready, or began to
        self._is_open = True

    def share(self) -> None:
        """Let one more writer take what is ready, unless another one will in a moment."""
        if not self._lanes.are_ready or self._sharing >= self._most or not self._is_open:
            return
        now = asyncio.get_running_loop().time()
        if not self._sharing or now - self._taken_at >= _SOON:
            self._sharing += 1
            self._taken_at = now
            self.start(self._write_what_is_ready())

    def start(self, writing: Coroutine[None, None, None]) -> None:
        """Let a task write, beside those that take what is ready."""
        writer = asyncio.get_running_loop().create_task(writing)
        self._tasks.add(writer)
        writer.add_done_callback(self._end)

    async def finish(self, seconds: float) -> None:
        """Wait until all have ended, with those that begin meanwhile, for so long at most; none begins any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        self._is_open = False

    async def cancel(self) -> None:
        """End those that are under way."""
        for writer in self._tasks:
            writer.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _end(self, writer: asyncio.Task[None]) -> None:
        self._tasks.discard(writer)
        self.share()

    async def _write_what_is_ready(self) -> None:
        """Write transaction after transaction, until nothing is ready."""
        loop = asyncio.get_running_loop()
        try:
            while lanes := self._depart():
                self._taken_at = float("-inf") if self._lanes.are_ready else loop.time()
                self.share()
                others = loop.call_later(_SOON, self.share)
                try:
                    await self._write(lanes)
                finally:
                    others.cancel()
        finally:
            self._sharing -= 1
