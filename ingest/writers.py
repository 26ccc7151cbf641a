"""The tasks that commit what waits in lanes: when one more begins, what it takes, and how all of them end."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

from ingest.lanes import Lane, Lanes

_SOON = 0.02  # seconds in which a shared transaction mostly ends: until then, what is ready waits for it
_LONG_AGO = float("-inf")


class Writers:
    """Writers that take what is ready, and tasks that write one lane apart.

    One writer takes what is ready, transaction after transaction: what arrives meanwhile is in the next, so that many
    sources share one. Up to `most` at once, another one begins if a transaction takes longer than a moment, or had no
    room for more. `room` tells how many lanes a transaction takes now, and `write` writes them.
    """

    def __init__(
        self, lanes: Lanes, write: Callable[[list[Lane]], Awaitable[None]], room: Callable[[], int], most: int
    ) -> None:
        self._lanes = lanes
        self._write = write
        self._room = room
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()
        # Of each writer that takes what is ready: the loop's time at which it took all, and had room for more.
        self._taken_at: dict[object, float] = {}
        self._again: asyncio.TimerHandle | None = None
        self._is_open = True

    def share(self) -> None:
        """Let one more writer take what is ready: at once, or in a moment if another one may have done so by then."""
        if not self._lanes.are_ready or len(self._taken_at) >= self._most or not self._is_open:
            return
        loop = asyncio.get_running_loop()
        wait = max(self._taken_at.values(), default=_LONG_AGO) + _SOON - loop.time()
        if wait <= 0:
            writer = object()
            self._taken_at[writer] = loop.time()
            self.start(self._write_what_is_ready(writer))
        elif self._again is None:
            self._again = loop.call_later(wait, self._share_again)

    def start(self, writing: Coroutine[None, None, None]) -> None:
        """Let a task write, beside those that take what is ready."""
        task = asyncio.get_running_loop().create_task(writing)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    async def finish(self, seconds: float) -> None:
        """Wait until all have ended, with those that begin meanwhile, for so long at most. Then nothing is taken."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        self._is_open = False

    async def cancel(self) -> None:
        """End those that are under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _share_again(self) -> None:
        self._again = None
        self.share()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.share()

    async def _write_what_is_ready(self, writer: object) -> None:
        """Write transaction after transaction, until nothing is ready."""
        loop = asyncio.get_running_loop()
        try:
            while lanes := self._lanes.depart(room := self._room()):
                is_full = self._lanes.are_ready or len(lanes) >= room
                self._taken_at[writer] = _LONG_AGO if is_full else loop.time()
                self.share()
                await self._write(lanes)
        finally:
            del self._taken_at[writer]
