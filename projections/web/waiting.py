"""Lets requests wait for another revision of the roster. However many wait, the database is asked once at a time."""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from projections.folding.checkpoint import checkpoint_table
from projections.roster.revision import PROJECTION, Revision, revision_of

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.05
_AWAY_SECONDS = 1.0  # between two looks while the database cannot be asked


class Waiting:
    """The last revision seen of each source, while a request waits for one."""

    def __init__(self, engine: AsyncEngine, away: tuple[type[Exception], ...]) -> None:
        self._engine = engine
        self._away = away
        self._waiting = 0
        self._revisions: dict[str, Revision] = {}
        self._looks = 0  # that have ended
        self._looked = asyncio.Condition()

    async def until(self, source: str, is_enough: Callable[[Revision], bool], seconds: float) -> None:
        """Return once the roster has such a revision, or after so many seconds."""

        begun = self._looks

        def is_there() -> bool:
            revision = self._revisions.get(source)
            # What was seen while nobody waited is old, and would be "another revision" for ever.
            return self._looks > begun + 1 and revision is not None and is_enough(revision)

        try:
            async with asyncio.timeout(seconds), self._looked:
                self._waiting += 1
                try:
                    self._looked.notify_all()
                    await self._looked.wait_for(is_there)
                finally:
                    self._waiting -= 1
        except TimeoutError:
            return

    async def run(self) -> None:
        """Look again and again while anybody waits; for a task of the server's."""
        while True:
            async with self._looked:
                await self._looked.wait_for(lambda: self._waiting > 0)
            seconds = await self._look()
            async with self._looked:
                self._looks += 1
                self._looked.notify_all()
            await asyncio.sleep(seconds)

    async def _look(self) -> float:
        sources = (
            select(checkpoint_table.c.source).where(checkpoint_table.c.projection == PROJECTION).distinct().subquery()
        )
        try:
            async with self._engine.connect() as connection:
                found = await connection.execute(select(sources.c.source, *revision_of(sources.c.source)))
                self._revisions = {row[0]: Revision(*row[1:]) for row in found}
        except self._away as error:
            logger.warning("roster unreadable", extra={"fields": {"error": type(error).__name__}})
            return _AWAY_SECONDS
        return _LOOK_SECONDS
