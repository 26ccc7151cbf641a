"""What metrics say of the log, by one look at the database."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from ingest import metrics
from ingest.log.failed_look import FAILING
from ingest.log.named_sources import EVERY_SOURCE, NamedSources, label_of, named_sources, troubles_of_log
from ingest.log.reconciliation import DRIFT_LEFT
from ingest.log.refused import LATELY
from ingest.log.whereabouts import ELSEWHERE
from ingest.metrics import Reading

# Of the other sources, which are one: sums of numbers, and of times the one that is worst.
_NEWEST = text(f"""
select {label_of("s.source")} as source, sum(newest.position)::float8 as position,
  min(delivered.received_at) filter (where s.state is null) as received_at
from source s
cross join lateral (
  select e.position from event_log e where e.source = s.source order by e.position desc limit 1
) newest
-- What rosterlog itself wrote says nothing of Movemint.
left join lateral (
  select e.received_at from event_log e
  where e.source = s.source and (e.event_type is null or not starts_with(e.event_type, 'rosterlog.'))
  order by e.position desc limit 1
) delivered on true
group by 1
""")  # noqa: S608 - of our own SQL alone
_REFUSED = text(f"""
with lately as ({LATELY}),
of_source as (
  select l.source, coalesce(sum(l.run), 0) as run, max(l.last_at) as last_at from lately l group by l.source
)
select case when o.source = '' then '' else {label_of("o.source")} end as source,
  max(case when o.source in ({ELSEWHERE}) then 0 else o.run end)::float8 as run, max(o.last_at) as last_at
from of_source o
group by 1
""")  # noqa: S608
_VERIFIED = text(f"""
select {label_of("v.source")} as source, min(v.finished_at) as finished_at, sum(v.problems)::float8 as problems
from verification v
group by 1
""")  # noqa: S608
_COMPARED = text(f"""
with of_source as (
  select r.source, max(r.recorded_at) as recorded_at, sum(r.missing) as missing, sum(r.stale) as stale,
    sum(r.unlisted) as unlisted, sum(r.unknowable) as unknowable
  from reconciliation r
  where r.until_position is null and r.source not in ({ELSEWHERE})
  group by r.source
)
select {label_of("o.source")} as source, min(o.recorded_at) as recorded_at, sum(o.missing)::float8 as missing,
  sum(o.stale)::float8 as stale, sum(o.unlisted)::float8 as unlisted, sum(o.unknowable)::float8 as unknowable
from of_source o
group by 1
""")  # noqa: S608
_FAILING = text(f"""
select {label_of("f.source")} as source, min(f.since) as since
from ({FAILING}) f
where f.source not in ({ELSEWHERE})
group by 1
""")  # noqa: S608
# A server that has run out of disk is made read-only by many who run it for others. Our sessions set it themselves.
_IS_READ_ONLY = text("""
select pg_is_in_recovery() or exists (
  select from pg_settings s where s.name = 'default_transaction_read_only' and s.reset_val = 'on'
)
""")
_ALONE = text("select pg_total_relation_size('event_log')::float8 as bytes, oldest_transaction() as oldest")
_SLOTS = text("select s.slot_name, s.held_bytes from slots() s where s.held_bytes is not null")


def bounded_log_readings(connection: Connection) -> Iterator[Reading]:
    """The same for a server that knows no projections, of the sources that are worst by the log."""
    return log_readings(connection, named_sources(connection, [troubles_of_log]))


def log_readings(connection: Connection, named: NamedSources = EVERY_SOURCE) -> Iterator[Reading]:
    """The readings of every source's log, of its last verification and comparisons, and of what holds the database
    back.
    """
    yield from _of_sources(connection, named)
    alone = connection.execute(_ALONE).one()
    yield Reading(metrics.LOG_BYTES, (), alone.bytes)
    yield Reading(metrics.READ_ONLY, (), float(is_read_only(connection)))
    if alone.oldest is not None:
        yield metrics.timestamp_of(metrics.OLDEST_TRANSACTION, alone.oldest)
    for row in connection.execute(_SLOTS):
        yield Reading(metrics.SLOT_BYTES, (row.slot_name,), float(row.held_bytes))


def _of_sources(connection: Connection, named: NamedSources) -> Iterator[Reading]:
    for row in connection.execute(_NEWEST, named.binds):
        yield Reading(metrics.HEAD, (row.source,), row.position)
        if row.received_at is not None:
            yield metrics.timestamp_of(metrics.LAST_RECEIVED, row.received_at, row.source)
    for row in connection.execute(_REFUSED, named.binds):
        if row.source:  # nothing is ever stored for those that nobody knows
            yield Reading(metrics.REFUSED_IN_A_ROW, (row.source,), row.run)
        yield metrics.timestamp_of(metrics.LAST_REFUSED, row.last_at, row.source)
    for row in connection.execute(_VERIFIED, named.binds):
        yield metrics.timestamp_of(metrics.VERIFIED, row.finished_at, row.source)
        yield Reading(metrics.VERIFY_PROBLEMS, (row.source,), row.problems)
    for row in connection.execute(_COMPARED, named.binds):
        yield metrics.timestamp_of(metrics.RECONCILED, row.recorded_at, row.source)
        for kind in (*DRIFT_LEFT, "unknowable"):
            yield Reading(metrics.DRIFT, (row.source, kind), getattr(row, kind))
    for row in connection.execute(_FAILING, named.binds):
        yield metrics.timestamp_of(metrics.LOOKS_FAIL, row.since, row.source)


def is_read_only(connection: Connection) -> bool:
    """Whether the database takes no writes, whoever asks for them."""
    taken: bool = connection.execute(_IS_READ_ONLY).scalar_one()
    return taken
