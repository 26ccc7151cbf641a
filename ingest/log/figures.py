"""What metrics say of the log, by one look at the database."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from ingest import metrics
from ingest.log.read import EVERY_SOURCE
from ingest.log.refused import refused_lately
from ingest.log.verification import verification
from ingest.metrics import Reading

_NEWEST = text(f"""{EVERY_SOURCE}
select s.source, newest.position, newest.received_at
from sources s
cross join lateral (
  select e.position, e.received_at from event_log e where e.source = s.source order by e.position desc limit 1
) newest
""")  # noqa: S608 - the text of that module
_ALONE = text("select pg_total_relation_size('event_log')::float8 as bytes, oldest_transaction() as oldest")
_SLOTS = text("""
select s.slot_name, pg_wal_lsn_diff(
  case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, s.restart_lsn
)::float8 as bytes
from pg_replication_slots s
where s.restart_lsn is not null and not s.temporary and s.slot_name !~ '^pg_[0-9]+_sync_'
""")


def log_readings(connection: Connection) -> Iterator[Reading]:
    """The readings of every source's log, of its last verification, and of what holds the database back."""
    for row in connection.execute(_NEWEST):
        yield Reading(metrics.HEAD, (row.source,), row.position)
        yield metrics.timestamp_of(metrics.LAST_RECEIVED, row.received_at, row.source)
    for source, refused in refused_lately(connection).items():
        if source:  # nothing is ever stored for those that nobody knows
            yield Reading(metrics.REFUSED_IN_A_ROW, (source,), refused.run)
        if refused.last_at is not None:
            yield metrics.timestamp_of(metrics.LAST_REFUSED, refused.last_at, source)
    for row in connection.execute(verification.select()):
        yield metrics.timestamp_of(metrics.VERIFIED, row.finished_at, row.source)
        yield Reading(metrics.VERIFY_PROBLEMS, (row.source,), row.problems)
    alone = connection.execute(_ALONE).one()
    yield Reading(metrics.LOG_BYTES, (), alone.bytes)
    if alone.oldest is not None:
        yield metrics.timestamp_of(metrics.OLDEST_TRANSACTION, alone.oldest)
    for row in connection.execute(_SLOTS):
        yield Reading(metrics.SLOT_BYTES, (row.slot_name,), row.bytes or 0.0)
