"""What metrics say of the projections, by one look at the database."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, text

from ingest import metrics
from ingest.log.read import sources
from ingest.metrics import Reading
from projections.folding import quarantine
from projections.folding.heartbeat import last_seen
from projections.folding.projection import Projection
from projections.folding.status import read_projections

# Position, head and oldest event are of one statement, so they agree.
_FOLDED = text("""
select p.projection, s.source, coalesce(c.position, 0) as position, newest.position as head, waiting.received_at
from projection p
cross join unnest(cast(:sources as text[])) as s (source)
left join checkpoint c on c.projection = p.projection and c.source = s.source and c.build = p.live
cross join lateral (
  select e.position from event_log e where e.source = s.source order by e.position desc limit 1
) newest
left join event_log waiting on waiting.source = s.source and waiting.position = coalesce(c.position, 0) + 1
where p.projection = any (cast(:names as text[]))
""")
# A rebuild under way holds this lock; what was killed leaves its build behind until the next one.
_LOADING = text("""
select b.projection, b.loaded_events::float8 / greatest(b.events_to_load, 1) as ratio, b.moved_at
from projection_build b
join projection p on p.projection = b.projection
where b.events_to_load is not null and b.build is distinct from p.live and b.build is distinct from p.previous
  and exists (
    select from pg_locks l
    where l.locktype = 'advisory' and l.classid = 1919906928 and l.objid = hashtext(p.projection)::oid
  )
""")
_ROSTER_BYTES = text("""
select coalesce(sum(pg_total_relation_size(i.inhrelid)), 0)::float8
from projection p
cross join unnest(p.tables) as of_projection (name)
join pg_inherits i on i.inhparent = to_regclass('public.' || quote_ident(of_projection.name))
""")


def projection_readings(connection: Connection, projections: Sequence[Projection]) -> Iterator[Reading]:
    """The readings of how far every projection of every source is, of parked events, rebuilds and workers."""
    values = {"names": [projection.name for projection in projections], "sources": sources(connection)}
    for row in connection.execute(_FOLDED, values):
        labels = (row.source, row.projection)
        yield Reading(metrics.PROJECTION_POSITION, labels, row.position)
        yield Reading(metrics.PROJECTION_LAG, labels, row.head - row.position)
        if row.received_at is not None:
            yield metrics.timestamp_of(metrics.OLDEST_UNFOLDED, row.received_at, *labels)
    parked = quarantine.parked_by_source(connection)
    for source in values["sources"]:
        yield Reading(metrics.QUARANTINED, (source,), parked.get(source, 0))
    for status in read_projections(connection, projections):
        yield Reading(metrics.REBUILD_NEEDED, (status.projection,), float(status.needs_rebuild))
    for row in connection.execute(_LOADING):
        yield Reading(metrics.REBUILD_RATIO, (row.projection,), min(row.ratio, 1.0))
        yield metrics.timestamp_of(metrics.REBUILD_MOVED, row.moved_at, row.projection)
    worker = last_seen(connection)
    if worker is not None:
        yield metrics.timestamp_of(metrics.WORKER_SEEN, worker.seen_at)
    yield Reading(metrics.ROSTER_BYTES, (), connection.execute(_ROSTER_BYTES).scalar_one())
