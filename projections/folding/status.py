"""Status: per source the head, checkpoints and parked events; per projection whether it needs a rebuild."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, text

from ingest.log.read import heads, sources
from projections.folding import builds, checkpoint, quarantine
from projections.folding.projection import Projection

_BEHIND = text("""
select p.projection, s.source, extract(epoch from clock_timestamp() - e.received_at)::float8 as seconds
from projection p
cross join unnest(cast(:sources as text[])) as s (source)
left join checkpoint c on c.projection = p.projection and c.source = s.source and c.build = p.live
join event_log e on e.source = s.source and e.position = coalesce(c.position, 0) + 1
where p.projection = any (cast(:names as text[]))
""")


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
        lag = head - min(checkpoints.values())
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


def ages_of_lag(connection: Connection, projections: Sequence[Projection]) -> list[tuple[float, str, str]]:
    """Of each projection and source with an event that is not folded: how many seconds the oldest has been in the log.

    Gives the seconds, the projection and the source.
    """
    names = [projection.name for projection in projections]
    rows = connection.execute(_BEHIND, {"names": names, "sources": sources(connection)})
    return [(row.seconds, row.projection, row.source) for row in rows]


def longest_behind(connection: Connection, projections: Sequence[Projection]) -> tuple[float, str, str]:
    """How many seconds the oldest event that a live build has not folded has been in the log, and whose it is.

    Gives the seconds, the projection and the source; zero seconds if everything is folded.
    """
    return max(ages_of_lag(connection, projections), default=(0.0, "", ""))
