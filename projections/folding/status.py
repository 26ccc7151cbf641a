"""Status: per source the head, checkpoints and parked events; per projection whether it needs a rebuild."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from ingest.log.read import head_of
from projections.folding import builds, quarantine
from projections.folding.projection import Projection

# Position, head and the event after the checkpoint are of one statement, so they agree. That event is looked for behind
# a hole as well: a log that was damaged must not look as if all of it were folded.
EACH_FOLDED = """
select
  p.projection, s.source, coalesce(c.position, 0) as position, head.position as head, following.position as following,
  following.received_at as oldest_at,
  coalesce(extract(epoch from clock_timestamp() - following.received_at), 0)::float8 as seconds
from projection p
cross join source s
left join checkpoint c on c.projection = p.projection and c.source = s.source and c.build = p.live
cross join lateral (
  select e.position from event_log e where e.source = s.source order by e.position desc limit 1
) head
left join lateral (
  select e.position, e.received_at
  from event_log e
  where e.source = s.source and e.position > coalesce(c.position, 0) and head.position > coalesce(c.position, 0)
  order by e.position
  limit 1
) following on true
where p.projection = any (cast(:names as text[]))
"""
_FOLDED = text(f"{EACH_FOLDED}order by p.projection, s.source")
_CHECKPOINTS = text("""
select p.projection, coalesce(c.position, 0) as position
from projection p
left join checkpoint c on c.projection = p.projection and c.source = :source and c.build = p.live
where p.projection = any (cast(:names as text[]))
order by p.projection
""")
_LONGEST_BEHIND = text(f"""
select b.*
from ({EACH_FOLDED}) b
where b.oldest_at is not null
order by b.oldest_at, b.projection, b.source
limit 1
""")  # noqa: S608 - the constant above


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
    return statuses_of(connection, projections, configured, read_folded(connection, projections))


def statuses_of(
    connection: Connection, projections: Sequence[Projection], configured: Iterable[str], folded: Iterable[Folded]
) -> list[SourceStatus]:
    """The same, from how far each live build has folded each source."""
    names = [projection.name for projection in projections]
    heads: dict[str, int] = {}
    positions: dict[tuple[str, str], int] = {}
    for each in folded:
        heads[each.source] = each.head
        positions[each.source, each.projection] = each.position
    parked = quarantine.parked_by_source(connection)
    statuses = []
    for source in sorted({*configured, *heads}):
        checkpoints = {name: positions.get((source, name), 0) for name in names}
        head = heads.get(source, 0)
        lag = max(head - min(checkpoints.values()), 0)  # of a log that lost its end, which `Folded.missing` tells
        statuses.append(SourceStatus(source, head, checkpoints, lag, parked.get(source, 0)))
    return statuses


def read_source(connection: Connection, projections: Sequence[Projection], source: str) -> SourceStatus:
    """The status of one source, at the same cost however many others there are."""
    head = head_of(connection, source)
    rows = connection.execute(_CHECKPOINTS, {**_names(projections), "source": source})
    checkpoints = {row.projection: row.position for row in rows}
    lag = max(head - min(checkpoints.values()), 0)
    parked = quarantine.parked_count(connection, quarantine.Wanted(source, is_dismissed=False))
    return SourceStatus(source, head, checkpoints, lag, parked)


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
    return [_folded(row) for row in connection.execute(_FOLDED, _names(projections))]


def longest_behind(connection: Connection, projections: Sequence[Projection]) -> Folded | None:
    """The build and source whose oldest event that is not folded has been in the log for longest; None if all are."""
    row = connection.execute(_LONGEST_BEHIND, _names(projections)).one_or_none()
    return None if row is None else _folded(row)


def _names(projections: Sequence[Projection]) -> dict[str, list[str]]:
    return {"names": [projection.name for projection in projections]}


def _folded(row: Row[Any]) -> Folded:
    missing = _missing(row.position, row.head, row.following)
    return Folded(row.projection, row.source, row.position, row.head, row.oldest_at, row.seconds, missing)


def _missing(position: int, head: int, following: int | None) -> int | None:
    if position > head:
        return head + 1
    return position + 1 if following not in (None, position + 1) else None
