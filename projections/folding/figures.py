"""What metrics say of the projections, by one look at the database."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, text

from ingest import metrics
from ingest.log.read import sources
from ingest.metrics import Reading
from projections.folding import quarantine
from projections.folding.builds import rebuilds_under_way
from projections.folding.heartbeat import last_seen
from projections.folding.inner_completeness import read_inner
from projections.folding.projection import Projection
from projections.folding.status import read_folded, read_projections

_ROSTER_BYTES = text("""
select coalesce(sum(pg_total_relation_size(i.inhrelid)), 0)::float8
from projection p
cross join unnest(p.tables) as of_projection (name)
join pg_inherits i on i.inhparent = to_regclass('public.' || quote_ident(of_projection.name))
""")


def projection_readings(connection: Connection, projections: Sequence[Projection]) -> Iterator[Reading]:
    """The readings of how far every projection of every source is, of parked events, rebuilds and workers, and of who
    is not where the log says.
    """
    missing: dict[str, int] = {}
    for folded in read_folded(connection, projections):
        labels = (folded.source, folded.projection)
        yield Reading(metrics.PROJECTION_POSITION, labels, folded.position)
        yield Reading(metrics.PROJECTION_LAG, labels, folded.head - folded.position)
        if folded.oldest_at is not None:
            yield metrics.timestamp_of(metrics.OLDEST_UNFOLDED, folded.oldest_at, *labels)
        if folded.missing is not None:
            missing[folded.source] = min(folded.missing, missing.get(folded.source, folded.missing))
    yield from metrics.readings_of(metrics.MISSING_POSITION, {(source,): at for source, at in missing.items()})
    parked = quarantine.parked_by_source(connection)
    for source in sources(connection):
        yield Reading(metrics.QUARANTINED, (source,), parked.get(source, 0))
    for status in read_projections(connection, projections):
        yield Reading(metrics.REBUILD_NEEDED, (status.projection,), float(status.needs_rebuild))
    for rebuild in rebuilds_under_way(connection):
        if rebuild.ratio is not None and rebuild.moved_at is not None:
            yield Reading(metrics.REBUILD_RATIO, (rebuild.projection,), rebuild.ratio)
            yield metrics.timestamp_of(metrics.REBUILD_MOVED, rebuild.moved_at, rebuild.projection)
    for source, found in read_inner(connection).items():
        yield Reading(metrics.INNER_DIFFERENCES, (source,), found.differences)
    worker = last_seen(connection)
    if worker is not None:
        yield metrics.timestamp_of(metrics.WORKER_SEEN, worker.seen_at)
    yield Reading(metrics.ROSTER_BYTES, (), connection.execute(_ROSTER_BYTES).scalar_one())
