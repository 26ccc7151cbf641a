"""Status: per source the head, checkpoints and parked events; per projection whether it needs a rebuild."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from ingest.log.read import heads, sources
from projections.folding import builds, checkpoint, quarantine
from projections.folding.projection import Projection

# Position, head and the event after the checkpoint are of one statement, so they agree. That event is looked for behind
# a hole as well: a log that was damaged must not look as if all of it were folded.
_FOLDED = text("""
select
  p.projection, s.source, coalesce(c.position, 0) as position, head.position as head, following.position as following,
  following.received_at as oldest_at,
  coalesce(extract(epoch from clock_timestamp() - following.received_at), 0)::float8 as seconds
from projection p
cross join unnest(cast(:sources as text[])) as s (source)
left join checkpoint c on c.projection = p.projection and c.source = s.source and c.build = p.live
cross join lateral (
  select e.position from event_log e where e.source = s.source order by e.position desc limit 1
) head
left join lateral (
  select e.position, e.received_at
  from event_log e
  where e.source = s.source and e.position > coalesce(c.position, 0)
  order by e.position
  limit 1
) following on true
where p.projection = any (cast(:names as text[]))
""")


@dataclass(frozen=True, slots=True)
class Folded:
    """How far the live build of a projection has folded a source.

    `oldest_at`: when the oldest event that it has not folded was received, and the `seconds` since then; None and 0 if
    it has folded all. `missing`: the first position that the log lacks: that after the checkpoint, if the log goes on
    without it, or that after its end, if more was folded than it has. It was damaged then.
    """

    projection: str
    source: str
    position: int
    head: int
    oldest_at: datetime | None
    seconds: float
    missing: int | None


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source. `checkpoints`: of the live builds, by projection. `lag`: events from the lowest of them to the head.

    `quarantined`: parked events of the live builds.
    """

    source: str
    head: int
    checkpoints: dict[str, int]
    lag: int
    quarantined: int

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """One projection: its live build and the definition that folded it; both None before the first build.

    `needs_rebuild`: this program's definition is another one, so its workers do not write into the live build.
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
    """The status of every source that has secrets or events, ordered by name."""
    head_of = heads(connection)
    live = builds.every_live(connection)
    folded = {
        projection.name: checkpoint.positions(connection, live[projection.name]) if projection.name in live else {}
        for projection in projections
    }
    parked = quarantine.parked_by_source(connection)
    statuses = []
    for source in sorted({*configured, *head_of}):
        checkpoints = {name: positions.get(source, 0) for name, positions in folded.items()}
        head = head_of.get(source, 0)
        lag = max(head - min(checkpoints.values()), 0)  # of a log that lost its end, which `Folded.missing` tells
        statuses.append(SourceStatus(source, head, checkpoints, lag, parked.get(source, 0)))
    return statuses


def read_projections(connection: Connection, projections: Sequence[Projection]) -> list[ProjectionStatus]:
    """The status of every projection: its live build, and whether it needs a rebuild."""
    live = builds.every_live(connection)
    statuses = []
    for projection in projections:
        name, build = projection.name, live.get(projection.name)
        if build is None:
            statuses.append(ProjectionStatus(name, None, None, needs_rebuild=False))
        else:
            needs_rebuild = build.definition != projection.definition
            statuses.append(ProjectionStatus(name, build.number, build.definition, needs_rebuild=needs_rebuild))
    return statuses


def read_folded(connection: Connection, projections: Sequence[Projection]) -> list[Folded]:
    """How far each live build has folded each source that has events."""
    names = [projection.name for projection in projections]
    return [
        Folded(
            row.projection, row.source, row.position, row.head, row.oldest_at, row.seconds,
            _missing(row.position, row.head, row.following),
        )
        for row in connection.execute(_FOLDED, {"names": names, "sources": sources(connection)})
    ]  # fmt: skip


def _missing(position: int, head: int, following: int | None) -> int | None:
    if position > head:
        return head + 1
    return position + 1 if following not in (None, position + 1) else None


def longest_behind(connection: Connection, projections: Sequence[Projection]) -> Folded | None:
    """The build and source whose oldest event that is not folded has been in the log for longest; None if all are."""
    waiting = [folded for folded in read_folded(connection, projections) if folded.oldest_at is not None]
    return max(waiting, key=lambda folded: folded.seconds, default=None)
