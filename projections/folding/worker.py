"""Folds the log into the live builds as it grows: `run_once` one batch, `Worker.run` until it is stopped."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from sqlalchemy import Engine

from ingest.log.read import HoleInLog, sources
from projections.folding import builds, checkpoint
from projections.folding.batch import fold_next
from projections.folding.projection import Build, Projection, Track

logger = logging.getLogger(__name__)

_LONGEST_IDLE = 0.5  # seconds between two looks at the log, however long nothing has arrived
_OTHER_WORK_EVERY = 1.0  # seconds between two calls of the other work, once none of it is left
_LIST_SOURCES_EVERY = 1.0  # seconds


def run_once(engine: Engine, projection: Projection, source: str, limit: int) -> int:
    """Fold one batch of a source into the live build, in one transaction; a killed worker leaves no part of a batch.

    Gives the number of events folded: 0 at the head, while another worker folds this source, or if the live build is of
    another definition, since this program must not write into it.
    """
    with engine.begin() as connection:
        build = builds.open_for(connection, projection)
        return (fold_next(connection, Track(projection, build, source), limit) or 0) if build else 0


class Worker:
    """A worker's loop, with what it remembers: the sources, and which projections it has logged as needing a rebuild.

    `other_work` is called between two batches; it returns whether more of it is left.
    """

    def __init__(
        self,
        engine: Engine,
        projections: Sequence[Projection],
        limit: int,
        other_work: Callable[[Engine], bool] = lambda _engine: False,
    ) -> None:
        self._engine = engine
        self._projections = projections
        self._limit = limit
        self._sources: list[str] = []
        self._looked_at = 0.0
        self._other_work = other_work
        self._other_work_at = 0.0
        self._needs_rebuild: set[str] = set()

    def run(self, poll_seconds: float, stop: threading.Event, ready: Callable[[], None]) -> None:
        """Fold what arrives until `stop` is set, and finish the batch then. `ready` is called after the first look."""
        idle = 0
        while not stop.is_set():
            behind = self.behind()
            if idle == 0:
                ready()
            folded = self._fold_each(behind, stop)
            worked = self._do_other_work()
            if folded:
                logger.debug("folded", extra={"fields": {"events": folded}})
            if folded or worked:
                idle = 1
            else:
                # Nothing arrives: wait longer, up to half a second or `poll_seconds`, whichever is more.
                idle += 1
                stop.wait(min(poll_seconds * (1 + idle // 50), max(poll_seconds, _LONGEST_IDLE)))

    def behind(self) -> list[tuple[Projection, str]]:
        """The (projection, source) pairs that this worker can fold: those whose log goes on past the checkpoint."""
        with self._engine.begin() as connection:
            if time.monotonic() - self._looked_at > _LIST_SOURCES_EVERY:
                self._sources = sources(connection)
                self._looked_at = time.monotonic()
            live = builds.every_live(connection)
            writable = {
                projection.name: projection
                for projection in self._projections
                if self._may_write(live.get(projection.name), projection)
            }
            return [
                (writable[name], source) for name, source in checkpoint.behind(connection, [*writable], self._sources)
            ]

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

    def _do_other_work(self) -> bool:
        """Call the other work: every time while more of it is left, else once per second."""
        if time.monotonic() - self._other_work_at < _OTHER_WORK_EVERY:
            return False
        more_is_left = self._other_work(self._engine)
        if not more_is_left:
            self._other_work_at = time.monotonic()
        return more_is_left

    def _fold_each(self, behind: Sequence[tuple[Projection, str]], stop: threading.Event) -> int:
        """Fold one batch of each pair. A hole in a log is raised after the other sources have had their batch."""
        folded = 0
        damage: HoleInLog | None = None
        for projection, source in behind:
            if stop.is_set():
                break
            try:
                folded += run_once(self._engine, projection, source, self._limit)
            except HoleInLog as error:
                damage = error
        if damage is not None:
            raise damage
        return folded
