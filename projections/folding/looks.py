"""A worker's looks at the log: what can be folded now. Most look only at what has arrived lately."""

import logging
import math
import time
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Engine

from projections.folding import builds, checkpoint
from projections.folding.checkpoint import Lately
from projections.folding.heartbeat import are_notes_of_workers
from projections.folding.projection import Behind, Build, Projection
from projections.folding.written import WrittenUpTo, written_up_to

logger = logging.getLogger(__name__)

_LOOK_AT_ALL_EVERY = 3.0  # seconds; between them, only at the sources that an append was noted of
_LOOK_ANYWAY_EVERY = 60.0  # seconds, though nothing seems to be written
_MOST_NOTES = 32  # of workers, since the look before
_LONGEST_COMMIT = 60.0  # seconds from the note of an append until its commit
# Seconds before the look before in which an append may have been noted that was not visible to it, and is not noted
# again: it is noted once a second at most, before its commit.
_NOTED_BEFORE = 2.0


class Looks:
    """The looks of one worker, with what they remember: what was behind, which definitions are others."""

    def __init__(self, engine: Engine, projections: Sequence[Projection]) -> None:
        self._engine = engine
        self._projections = projections
        self._looked_at = float("-inf")
        self._looked_at_all_at = float("-inf")
        self._nothing_at: WrittenUpTo | None = None  # how far was written when nothing was behind, of all sources
        self._known: Collection[str] = ()
        self._writable: dict[str, Projection] = {}
        self._needs_rebuild: set[str] = set()

    def find(self) -> list[Behind]:
        """What can be folded: of all sources every three seconds, else of those that are known or had an append lately.

        So a look costs little, however many sources there are. What is committed late, the next look at all finds. The
        first one reads the log of each source. The others believe the head that was noted of a source, if that was
        long ago; a head that was not noted is noted within a minute (`noted_heads`). While nothing is written, nothing
        is looked at: it would be what the last look saw.
        """
        now = time.monotonic()
        since = now - self._looked_at
        at_all = now - self._looked_at_all_at >= _LOOK_AT_ALL_EVERY
        lately = Lately(since + (_LONGEST_COMMIT if at_all else _NOTED_BEFORE), self._known, with_noted=at_all)
        nothing_at, self._nothing_at = self._nothing_at, None  # if the look fails, its server may be another one soon
        with self._engine.begin() as connection:
            written = written_up_to(connection)  # before the look, which so sees that, and perhaps more
            is_same = now - self._looked_at_all_at < _LOOK_ANYWAY_EVERY
            is_same = is_same and _is_as_before(connection, nothing_at, written)
            behind = [] if is_same else self._behind(connection, None if math.isinf(since) else lately)
        self._looked_at = now  # once it has succeeded: the next one is to find what this one could not
        if at_all and not is_same:
            self._looked_at_all_at = now
        if not behind:
            self._nothing_at = written if written is not None and (is_same or at_all) else nothing_at
        self._known = {each.source for each in behind}
        return behind

    def _behind(self, connection: Connection, lately: Lately | None) -> list[Behind]:
        """What this worker can fold: the sources whose log goes on past the checkpoint, of those or of all."""
        if lately is None or lately.with_noted:
            self._writable = self._find_writable(connection)
        found = checkpoint.behind(connection, [*self._writable], lately)
        return [Behind(self._writable[name], source, position, head) for name, source, position, head in found]

    def _find_writable(self, connection: Connection) -> dict[str, Projection]:
        """The projections whose live build this worker may write. A batch asks again (`builds.open_for`)."""
        live = builds.every_live(connection)
        return {each.name: each for each in self._projections if self._may_write(live.get(each.name), each)}

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


def _is_as_before(connection: Connection, before: WrittenUpTo | None, written: WrittenUpTo | None) -> bool:
    """Whether nothing was written since, but by workers, of whom each notes every second that it is there."""
    if before is None or written is None or before.server != written.server or before.next_id > written.next_id:
        return False
    since = range(before.next_id, written.next_id)
    return not since or (len(since) <= _MOST_NOTES and are_notes_of_workers(connection, since))
