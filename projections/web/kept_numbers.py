"""Numbers that take long to count: counted beside the request that asks, kept, and for a while shown as they were."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from ingest.sqlstate import DRIVER_ERRORS, error_fields
from projections.roster.reading import Connects
from projections.roster.revision import Revision

logger = logging.getLogger(__name__)

_N = TypeVar("_N")
_MOST_KEPT = 500
_AT_ONCE = 2  # sessions that count what pages wait for
_PATIENT_SECONDS = 1.0  # for which a page waits, at least, for what it cannot do without
_MOST_WAITING = 20  # of those, and of the others
_QUICK_SECONDS = 0.3  # what is counted in less is counted again at each change
_FAILED_SECONDS = 60  # until what could not be counted is tried again
# One statement may take 10 s, on one core: the pages of others go on meanwhile.
_GENTLE = text("set local statement_timeout = '10s'; set local max_parallel_workers_per_gather = 0")
_RESTS = 10  # times as long as counting took, until anything else is counted again


@dataclass(frozen=True, slots=True)
class Kept(Generic[_N]):
    """Numbers, and the revision that they were counted before: they are of it, or of a later one."""

    numbers: _N
    revision: Revision


@dataclass(frozen=True, slots=True)
class _Entry:
    """`kept`: None if counting failed. `until`: by the monotonic clock, when it may be counted again."""

    kept: Kept[Any] | None
    took: float
    until: float

    def is_of(self, revision: Revision) -> bool:
        return self.kept is not None and self.kept.revision == revision

    def may_stand_for(self, revision: Revision) -> bool:
        """Whether only events of the log came since: whoever was erased is in no number any more."""
        if self.kept is None:
            return True
        of = self.kept.revision
        return (of.build, of.change) == (revision.build, revision.change)


@dataclass(frozen=True, slots=True)
class _Counting:
    """`asked_at`: by the monotonic clock. `free`: which of the sessions it is counted by."""

    task: asyncio.Task[None]
    asked_at: float
    free: asyncio.Semaphore

    async def wait(self, seconds: float) -> None:
        """Until it is done, or was asked for so many seconds ago: one request waits for it, not each until then."""
        await asyncio.wait([self.task], timeout=max(0.0, self.asked_at + seconds - time.monotonic()))


class KeptNumbers:
    """By key: whose numbers, of what. `engine`: in a few of its sessions numbers are counted."""

    def __init__(self, engine: Connects) -> None:
        self._engine = engine
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._counting: dict[Hashable, _Counting] = {}
        self._needed = asyncio.Semaphore(_AT_ONCE)
        self._beside = asyncio.Semaphore(1)  # one after the other: what pages do without leaves cores to them

    async def of(
        self, key: Hashable, revision: Revision, count: Callable[[AsyncConnection], Awaitable[_N]], seconds: float
    ) -> Kept[_N] | None:
        """The numbers of a revision of the roster, or those of before if counting takes long.

        No request waits for numbers that were asked for so many seconds ago. None: they were never counted; the next
        request may find them.
        """
        entry = self._entry(key, revision)
        if entry is not None and (entry.is_of(revision) or time.monotonic() < entry.until):
            return entry.kept
        counting = self._counting.get(key)
        free = self._needed if seconds >= _PATIENT_SECONDS else self._beside
        if counting is None and sum(each.free is free for each in self._counting.values()) < _MOST_WAITING:
            # In a context of its own: the deadline of this request is not the one of counting.
            task = asyncio.create_task(self._count(key, revision, count, free), context=Context())
            counting = _Counting(task, time.monotonic(), free)
            self._counting[key] = counting
        is_slow = entry is not None and entry.took > _QUICK_SECONDS
        if counting is not None and not is_slow:
            await counting.wait(seconds)
        entry = self._entry(key, revision)
        return None if entry is None else entry.kept

    def _entry(self, key: Hashable, revision: Revision) -> _Entry | None:
        entry = self._entries.get(key)
        return entry if entry is not None and entry.may_stand_for(revision) else None

    async def _count(
        self,
        key: Hashable,
        revision: Revision,
        count: Callable[[AsyncConnection], Awaitable[Any]],
        free: asyncio.Semaphore,
    ) -> None:
        kept, begun = None, time.monotonic()
        try:
            async with free, self._engine.connect() as connection:
                begun = time.monotonic()
                await connection.execute(_GENTLE)
                kept = Kept(await count(connection), revision)
        except (*DRIVER_ERRORS, PoolTimeout) as error:  # an answer without these numbers is right, too
            logger.warning("not counted", extra={"fields": error_fields(error)})
        finally:
            del self._counting[key]
        ended = time.monotonic()
        took = ended - begun
        rest = _FAILED_SECONDS if kept is None else took * _RESTS if took > _QUICK_SECONDS else 0
        self._entries[key] = _Entry(kept, took, ended + rest)
        self._entries.move_to_end(key)
        if len(self._entries) > _MOST_KEPT:
            self._entries.popitem(last=False)

    async def close(self) -> None:
        """End what is being counted."""
        tasks = [counting.task for counting in self._counting.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
