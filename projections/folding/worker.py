"""Moves projections along the log. `run_once` is one transaction; `run` loops until told to stop."""

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

_LONGEST_IDLE = 0.5  # seconds between two looks at the log, however quiet it is
_ELSE_EVERY = 1.0  # seconds between two rounds of the other work, where nothing of it is left
_LOOK_FOR_SOURCES = 1.0  # seconds between two looks for sources that have no checkpoint yet


def run_once(engine: Engine, projection: Projection, source: str, limit: int) -> int:
    """Fold one batch of a source into the live build: one transaction. Killed anywhere, nothing happened.

    Gives the number of events folded: none at the head, while another worker advances this source, or if the live build
    is of another definition, into which this program must not write.
    """
    with engine.begin() as connection:
        build = builds.open_for(connection, projection)
        return (fold_next(connection, Track(projection, build, source), limit) or 0) if build else 0


class Worker:
    """What a worker remembers between two looks at the log: which sources there are, and what it has said already.

    `other_work` is done between two batches; it gives whether more of it is left already.
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
        """Fold whatever arrives until `stop` is set; the batch in hand is finished. Polling guarantees progress."""
        idle = 0
        while not stop.is_set():
            behind = self.behind()
            if idle == 0:
                ready()
            folded = self._fold_each(behind, stop)
            worked = self._work_else()
            if folded:
                logger.debug("folded", extra={"fields": {"events": folded}})
            if folded or worked:
                idle = 1
            else:
                # Quiet for a while: look less often, but never less than every half second or so.
                idle += 1
                stop.wait(min(poll_seconds * (1 + idle // 50), max(poll_seconds, _LONGEST_IDLE)))

    def behind(self) -> list[tuple[Projection, str]]:
        """What can be advanced: projections, each with a source whose log goes on past its checkpoint."""
        with self._engine.begin() as connection:
            if time.monotonic() - self._looked_at > _LOOK_FOR_SOURCES:
                self._sources = sources(connection)
                self._looked_at = time.monotonic()
            live = builds.every_live(connection)
            by_name = {one.name: one for one in self._projections if self._may_write(live.get(one.name), one)}
            return [
                (by_name[name], source) for name, source in checkpoint.behind(connection, [*by_name], self._sources)
            ]

    def _may_write(self, build: Build | None, projection: Projection) -> bool:
        """Whether the live build is of this program's definition. If not, that is logged once."""
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

    def _work_else(self) -> bool:
        """What there is to do beside folding: a batch each time while more is left, else once a second."""
        if time.monotonic() - self._other_work_at < _ELSE_EVERY:
            return False
        more_is_left = self._other_work(self._engine)
        if not more_is_left:
            self._other_work_at = time.monotonic()
        return more_is_left

    def _fold_each(self, behind: Sequence[tuple[Projection, str]], stop: threading.Event) -> int:
        """One batch of each. A damaged log stops the worker, but only after everybody else had their turn."""
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
