"""A worker's looks at the log: what can be folded now, and one cheap number while nothing is new."""

import logging
import time
from collections.abc import Sequence

from sqlalchemy import Engine

from ingest.log.read import events_in_all
from projections.folding import builds, checkpoint
from projections.folding.projection import Build, Projection

logger = logging.getLogger(__name__)

_LOOK_WHOLE_EVERY = 1.0  # seconds; between them, only whether the logs have grown


class Looks:
    """The looks of one worker, with what they remember: when nothing was behind, which definitions are others."""

    def __init__(self, engine: Engine, projections: Sequence[Projection]) -> None:
        self._engine = engine
        self._projections = projections
        self._caught_up: int | None = None  # events of all logs, when all that can be folded was
        self._looked_at = float("-inf")
        self._needs_rebuild: set[str] = set()

    def find(self) -> list[tuple[Projection, str]]:
        """The pairs that can be folded; none while the logs are as large as when all was folded: a cheaper look."""
        with self._engine.connect() as connection:
            events = events_in_all(connection)
        is_fresh = time.monotonic() - self._looked_at < _LOOK_WHOLE_EVERY
        if is_fresh and events == self._caught_up:
            return []
        self._looked_at = time.monotonic()
        behind = self.behind()
        self._caught_up = None if behind else events
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
