"""What metrics say of the projections, by one look at the database."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, text

from ingest import metrics
from ingest.log.named_sources import EVERY_SOURCE, NamedSources, label_of
from ingest.log.whereabouts import ARRIVES
from ingest.metrics import Reading
from projections.folding.builds import rebuilds_under_way
from projections.folding.heartbeat import last_seen
from projections.folding.projection import Projection
from projections.folding.status import EACH_FOLDED, read_projections

# Of the other sources, which are one: sums of positions and numbers, and of what lags the one that is worst.
_FOLDED = text(f"""
select f.projection, {label_of("f.source")} as source, sum(f.position)::float8 as position,
  max(f.head - f.position)::float8 as lag, min(f.oldest_at) filter (where f.source not in ({ARRIVES})) as oldest_at,
  min(case
    when f.position > f.head then f.head + 1
    when f.following <> f.position + 1 then f.position + 1
  end)::float8 as missing
from ({EACH_FOLDED}) f
group by 1, 2
""")  # noqa: S608 - of our own SQL alone
PARKED = """
select q.source, count(*) as events
from quarantine q
join projection p on p.projection = q.projection and p.live = q.build
where not exists (select from dismissed_event d where d.source = q.source and d.position = q.position)
group by q.source
"""
_PARKED = text(f"""
select {label_of("s.source")} as source, coalesce(sum(parked.events), 0)::float8 as events
from source s
left join ({PARKED}) parked on parked.source = s.source
group by 1
""")  # noqa: S608
_DIFFERING = text(f"""
select {label_of("i.source")} as source, sum(i.differences)::float8 as differences
from inner_completeness i
group by 1
""")  # noqa: S608
# What is behind for some seconds comes and goes. The heads are those noted, which an append is ahead of for a second.
_TROUBLES = text(f"""
with waiting as (
  select s.source, row_number() over (order by min(following.received_at), s.source) as place
  from projection p
  cross join source s
  left join checkpoint c on c.projection = p.projection and c.source = s.source and c.build = p.live
  cross join lateral (
    select e.received_at from event_log e
    where e.source = s.source and e.position > coalesce(c.position, 0)
    order by e.position
    limit 1
  ) following
  where p.live is not null and s.head > coalesce(c.position, 0)
    and following.received_at < now() - interval '10 seconds' and s.source not in ({ARRIVES})
  group by s.source
),
parked as (
  select q.source, row_number() over (order by q.events desc, q.source) as place from ({PARKED}) q
),
differing as (
  select i.source, row_number() over (order by i.differences desc, i.source) as place
  from inner_completeness i
  where i.differences > 0
)
select w.place, w.source from waiting w where w.place <= :most
union all
select q.place, q.source from parked q where q.place <= :most
union all
select d.place, d.source from differing d where d.place <= :most
""")  # noqa: S608
_ROSTER_BYTES = text("""
select coalesce(sum(pg_total_relation_size(i.inhrelid)), 0)::float8
from projection p
cross join unnest(p.tables) as of_projection (name)
join pg_inherits i on i.inhparent = to_regclass('public.' || quote_ident(of_projection.name))
""")


def troubles_of_projections(connection: Connection, most: int) -> list[tuple[int, str]]:
    """The sources whose events wait to be folded, or are parked, or whose roster lacks somebody."""
    return [(row.place, row.source) for row in connection.execute(_TROUBLES, {"most": most})]


def projection_readings(
    connection: Connection, projections: Sequence[Projection], named: NamedSources = EVERY_SOURCE
) -> Iterator[Reading]:
    """The readings of how far every projection of every source is, of parked events, rebuilds and workers, and of who
    is not where the log says.
    """
    yield from _of_sources(connection, projections, named)
    for status in read_projections(connection, projections):
        yield Reading(metrics.REBUILD_NEEDED, (status.projection,), float(status.needs_rebuild))
    for rebuild in rebuilds_under_way(connection):
        if rebuild.ratio is not None and rebuild.moved_at is not None:
            yield Reading(metrics.REBUILD_RATIO, (rebuild.projection,), rebuild.ratio)
            yield metrics.timestamp_of(metrics.REBUILD_MOVED, rebuild.moved_at, rebuild.projection)
    worker = last_seen(connection)
    if worker is not None:
        yield metrics.timestamp_of(metrics.WORKER_SEEN, worker.seen_at)
    yield Reading(metrics.ROSTER_BYTES, (), connection.execute(_ROSTER_BYTES).scalar_one())


def _of_sources(connection: Connection, projections: Sequence[Projection], named: NamedSources) -> Iterator[Reading]:
    missing: dict[str, float] = {}
    names = [projection.name for projection in projections]
    for row in connection.execute(_FOLDED, {"names": names, **named.binds}):
        labels = (row.source, row.projection)
        yield Reading(metrics.PROJECTION_POSITION, labels, row.position)
        yield Reading(metrics.PROJECTION_LAG, labels, row.lag)
        if row.oldest_at is not None:
            yield metrics.timestamp_of(metrics.OLDEST_UNFOLDED, row.oldest_at, *labels)
        if row.missing is not None:
            missing[row.source] = min(row.missing, missing.get(row.source, row.missing))
    yield from metrics.readings_of(metrics.MISSING_POSITION, {(source,): at for source, at in missing.items()})
    for row in connection.execute(_PARKED, named.binds):
        yield Reading(metrics.QUARANTINED, (row.source,), row.events)
    for row in connection.execute(_DIFFERING, named.binds):
        yield Reading(metrics.INNER_DIFFERENCES, (row.source,), row.differences)
