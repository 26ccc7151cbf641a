"""How far a database is written. As long as that does not change, whoever looks again sees the same."""

from typing import NamedTuple

from sqlalchemy import Connection, text

# What a statement sees follows alone from which transactions have ended. Another server, after a failover, may give the
# same id again. A coordinator of Citus does not know what ends on its nodes.
_WRITTEN = text("""
select pg_postmaster_start_time()::text, pg_snapshot_xmax(c.now)::text::bigint
from (select pg_current_snapshot() as now) c
where pg_snapshot_xmin(c.now) = pg_snapshot_xmax(c.now)
  and not exists (select from pg_extension where extname = 'citus')
""")


class WrittenUpTo(NamedTuple):
    """A server, by the time of its start, and an id: all transactions before it have ended, and none from it on."""

    server: str
    next_id: int


def written_up_to(connection: Connection) -> WrittenUpTo | None:
    """How far the database is written; None on Citus, and while one goes on that is older than an ended one."""
    row = connection.execute(_WRITTEN).one_or_none()
    return None if row is None else WrittenUpTo(*row)
