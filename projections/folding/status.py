"""How far everything is: each source's head, its checkpoints, what is parked; and which projections need a rebuild."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from ingest.log.read import heads
from projections.folding import builds, checkpoint, quarantine
from projections.folding.projection import Projection


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """`head` is the log's last position, a checkpoint the last one folded, `lag` what the least is behind."""

    source: str
    head: int
    checkpoints: dict[str, int]
    lag: int
    quarantined: int

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """Which build readers see, None before the first, and by which definition it was folded.

    `needs_rebuild`: this program's definition is another one, so that its workers do not write into that build.
    """

    projection: str
    build: int | None
    definition: str | None
    needs_rebuild: bool

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def read_status(
    connection: Connection, projections: Sequence[Projection], configured: Iterable[str]
) -> list[SourceStatus]:
    """The status of every source that has secrets or events, by name."""
    head = heads(connection)
    live = builds.every_live(connection)
    folded = {
        one.name: checkpoint.positions(connection, live[one.name]) if one.name in live else {} for one in projections
    }
    parked = quarantine.counts(connection)
    found = []
    for source in sorted({*configured, *head}):
        done = {name: positions.get(source, 0) for name, positions in folded.items()}
        at = head.get(source, 0)
        found.append(SourceStatus(source, at, done, at - min(done.values()), parked.get(source, 0)))
    return found


def read_projections(connection: Connection, projections: Sequence[Projection]) -> list[ProjectionStatus]:
    """Which build of each projection is live, and whether it is this program's."""
    live = builds.every_live(connection)
    found = []
    for one in projections:
        build = live.get(one.name)
        if build is None:
            found.append(ProjectionStatus(one.name, None, None, needs_rebuild=False))
        else:
            needs_rebuild = build.definition != one.definition
            found.append(ProjectionStatus(one.name, build.number, build.definition, needs_rebuild=needs_rebuild))
    return found
