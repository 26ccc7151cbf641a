"""How far a database is written: what is seen at one such point twice is the same, so that nobody need look twice."""

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
_OWN = text("select pg_current_xact_id_if_assigned()::text::bigint")


class WrittenUpTo(NamedTuple):
    """A server, by the time of its start, and an id: all transactions before it have ended, and none from it on."""

    server: str
    next_id: int


def written_up_to(connection: Connection) -> WrittenUpTo | None:
    """How far the database is written; None while one that writes began before another that has ended, and on Citus."""
    row = connection.execute(_WRITTEN).one_or_none()
    return None if row is None else WrittenUpTo(*row)


def id_of_writing(connection: Connection) -> int | None:
    """The id of the connection's own transaction; None if it has written nothing."""
    id_: int | None = connection.execute(_OWN).scalar_one()
    return id_
