"""Lets requests wait for another revision of the roster; one task polls the database for all of them."""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy import select

from ingest.sqlstate import error_fields
from projections.folding.table import checkpoint_table
from projections.roster.reading import Connects
from projections.roster.revision import PROJECTION, Revision, revision_of

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.05
_AWAY_SECONDS = 1.0  # between two polls while the database cannot answer


class Waiting:
    """The revision per source as of the last poll; polled while a request waits."""

    def __init__(self, engine: Connects, away: tuple[type[Exception], ...]) -> None:
        self._engine = engine
        self._away = away
        self._waiting = 0
        self._revisions: dict[str, Revision] = {}
        self._polls = 0  # completed polls
        self._polled = asyncio.Condition()

    async def until(self, source: str, is_enough: Callable[[Revision], bool], seconds: float) -> None:
        """Return once `is_enough` of the source's revision, or after so many seconds."""
        begun = self._polls

        def is_there() -> bool:
            revision = self._revisions.get(source)
            # Only a poll that began after this request did: an older revision would always pass for another one.
            return self._polls > begun + 1 and revision is not None and is_enough(revision)

        try:
            async with asyncio.timeout(seconds), self._polled:
                self._waiting += 1
                try:
                    self._polled.notify_all()
                    await self._polled.wait_for(is_there)
                finally:
                    self._waiting -= 1
        except TimeoutError:
            return

    async def run(self) -> None:
        """Poll while a request waits, for ever; to be run as a task of the server."""
        while True:
            async with self._polled:
                await self._polled.wait_for(lambda: self._waiting > 0)
            seconds = await self._poll()
            async with self._polled:
                self._polls += 1
                self._polled.notify_all()
            await asyncio.sleep(seconds)

    async def _poll(self) -> float:
        sources = (
            select(checkpoint_table.c.source).where(checkpoint_table.c.projection == PROJECTION).distinct().subquery()
        )
        try:
            async with self._engine.connect() as connection:
                rows = await connection.execute(select(sources.c.source, *revision_of(sources.c.source)))
                self._revisions = {row[0]: Revision(*row[1:]) for row in rows}
        except self._away as error:
            logger.warning("roster unreadable", extra={"fields": error_fields(error)})
            return _AWAY_SECONDS
        return _POLL_SECONDS
