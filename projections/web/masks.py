"""What tokens without personal data see of each source's answers: counted when asked for, and kept for a while."""

import asyncio
import time
from contextvars import Context
from dataclasses import dataclass

from sqlalchemy import text

from projections.roster.mask import Mask, mask_of
from projections.roster.reading import Connects
from projections.roster.revision import Revision

_PATIENCE_SECONDS = 2.0  # for which a request, which keeps a session meanwhile, waits until they are counted
_LONGEST_SECONDS = 900  # that counting may take
_RESTS = 10  # times as long as counting took, until the answers are counted again


class NotCounted(Exception):
    """The answers are still being counted."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """`until`: by the monotonic clock, when the answers may be counted again."""

    mask: Mask
    revision: Revision
    until: float


class Masks:
    """The masks per source. `engine`: its sessions may take long."""

    def __init__(self, engine: Connects) -> None:
        self._engine = engine
        self._counted: dict[str, _Counted] = {}
        self._counting: dict[str, asyncio.Task[Mask]] = {}

    async def of(self, source: str, revision: Revision) -> Mask:
        """The mask of a source whose roster has this revision; for a while after a change the one of before.

        Raises `NotCounted` if counting takes long, and there is none of before.
        """
        before = self._counted.get(source)
        if before is not None and (before.revision == revision or time.monotonic() < before.until):
            return before.mask
        counting = self._counting.get(source)
        if counting is None:
            # In a context of its own: the deadline of this request is not the one of counting.
            counting = asyncio.create_task(self._count(source, revision), context=Context())
            self._counting[source] = counting
            counting.add_done_callback(lambda task: self._done(source, task))
        await asyncio.wait([counting], timeout=_PATIENCE_SECONDS)
        if counting.done():
            return counting.result()
        if before is None:
            raise NotCounted
        return before.mask

    async def close(self) -> None:
        """End what is being counted."""
        tasks = [*self._counting.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _count(self, source: str, revision: Revision) -> Mask:
        begun = time.monotonic()
        async with self._engine.connect() as connection:
            await connection.execute(text(f"set local statement_timeout = '{_LONGEST_SECONDS}s'"))
            mask = await mask_of(connection, source)
        ended = time.monotonic()
        self._counted[source] = _Counted(mask, revision, ended + _RESTS * (ended - begun))
        return mask

    def _done(self, source: str, task: asyncio.Task[Mask]) -> None:
        del self._counting[source]
        if not task.cancelled():
            task.exception()  # each request that waits raises it; there may be none
