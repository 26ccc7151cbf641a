"""A worker's looks at the log: what can be folded now, and one cheap number while nothing is new."""

import logging
import time
from collections.abc import Sequence

from sqlalchemy import Engine

from ingest.log.read import events_in_all
from projections.folding import builds, checkpoint
from projections.folding.projection import Build, Projection

logger = logging.getLogger(__name__)

_LOOK_WHOLE_EVERY = 3.0  # seconds; between them, only whether the logs have grown
_QUIET_SECONDS = 2.0  # without growth, after which that tells: it is noted once a second


class Looks:
    """The looks of one worker, with what they remember: when the logs grew, which definitions are others."""

    def __init__(self, engine: Engine, projections: Sequence[Projection]) -> None:
        self._engine = engine
        self._projections = projections
        self._events = -1  # of all logs, as noted
        self._grown_at = float("-inf")
        self._looked_at = float("-inf")
        self._is_caught_up = False
        self._needs_rebuild: set[str] = set()

    def find(self) -> list[tuple[Projection, str]]:
        """The pairs that can be folded; none while no log has grown since all was folded, which costs less to see."""
        with self._engine.connect() as connection:
            events = events_in_all(connection)
        now = time.monotonic()
        if events != self._events:
            self._events, self._grown_at = events, now
        is_fresh = now - self._looked_at < _LOOK_WHOLE_EVERY
        if self._is_caught_up and is_fresh and now - self._grown_at > _QUIET_SECONDS:
            return []
        self._looked_at = now
        behind = self.behind()
        self._is_caught_up = not behind
        return behind

    def behind(self) -> list[tuple[Projection, str]]:
        """The (projection, source) pairs that this worker can fold: those whose log goes on past the checkpoint."""
        with self._engine.begin() as connection:
            live = builds.every_live(connection)
            writable = {
                projection.name: projection
                for projection in self._projections
                if self._may_write(live.get(projection.name), projection)
            }
            return [(writable[name], source) for name, source in checkpoint.behind(connection, [*writable])]

    def _may_write(self, build: Build | None, projection: Projection) -> bool:
        """Whether the live build, if any, is of this program's definition; another definition is logged once."""
        if build is None or build.definition == projection.definition:
            self._needs_rebuild.discard(projection.name)
            return True
        if projection.name not in self._needs_rebuild:
            self._needs_rebuild.add(projection.name)
            fields = {
                "projection": projection.name,
                "built_with": build.definition,
                "definition": projection.definition,
                "do": f"rosterlog rebuild {projection.name}",
            }
            logger.error("rebuild needed: nothing is folded until then", extra={"fields": fields})
        return False
