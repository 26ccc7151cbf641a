"""What metrics say of the log, by one look at the database."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from ingest import metrics
from ingest.log.reconciliation import DRIFT_LEFT, read_reconciled
from ingest.log.refused import refused_lately
from ingest.log.verification import read_verified
from ingest.metrics import Reading

_NEWEST = text("""
select s.source, newest.position, delivered.received_at
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
""")
# A server that has run out of disk is made read-only by many who run it for others. Our sessions set it themselves.
_IS_READ_ONLY = text("""
select pg_is_in_recovery() or exists (
  select from pg_settings s where s.name = 'default_transaction_read_only' and s.reset_val = 'on'
)
""")
_ALONE = text("select pg_total_relation_size('event_log')::float8 as bytes, oldest_transaction() as oldest")
_SLOTS = text("select s.slot_name, s.held_bytes from slots() s where s.held_bytes is not null")


def log_readings(connection: Connection) -> Iterator[Reading]:
    """The readings of every source's log, of its last verification and comparisons, and of what holds the database
    back.
    """
    for row in connection.execute(_NEWEST):
        yield Reading(metrics.HEAD, (row.source,), row.position)
        if row.received_at is not None:
            yield metrics.timestamp_of(metrics.LAST_RECEIVED, row.received_at, row.source)
    for source, refused in refused_lately(connection).items():
        if source:  # nothing is ever stored for those that nobody knows
            yield Reading(metrics.REFUSED_IN_A_ROW, (source,), refused.run)
        if refused.last_at is not None:
            yield metrics.timestamp_of(metrics.LAST_REFUSED, refused.last_at, source)
    for source, verified in read_verified(connection).items():
        yield metrics.timestamp_of(metrics.VERIFIED, verified.finished_at, source)
        yield Reading(metrics.VERIFY_PROBLEMS, (source,), verified.problems)
    yield from _compared(connection)
    alone = connection.execute(_ALONE).one()
    yield Reading(metrics.LOG_BYTES, (), alone.bytes)
    yield Reading(metrics.READ_ONLY, (), float(is_read_only(connection)))
    if alone.oldest is not None:
        yield metrics.timestamp_of(metrics.OLDEST_TRANSACTION, alone.oldest)
    for row in connection.execute(_SLOTS):
        yield Reading(metrics.SLOT_BYTES, (row.slot_name,), float(row.held_bytes))


def _compared(connection: Connection) -> Iterator[Reading]:
    for source, comparisons in read_reconciled(connection).items():
        yield metrics.timestamp_of(metrics.RECONCILED, comparisons[0].recorded_at, source)
        for kind in (*DRIFT_LEFT, "unknowable"):
            yield Reading(metrics.DRIFT, (source, kind), sum(getattr(each, kind) for each in comparisons))


def is_read_only(connection: Connection) -> bool:
    """Whether the database takes no writes, whoever asks for them."""
    taken: bool = connection.execute(_IS_READ_ONLY).scalar_one()
    return taken
