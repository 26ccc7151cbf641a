"""Keeps the published roster up to date while a warehouse subscribes to it: the publication `rosterlog_reporting`."""

from sqlalchemy import Connection, Engine, text

_IS_FOLLOWED = """
    select from pg_replication_slots s
    where s.plugin = 'pgoutput' and s.database = current_database() and s.wal_status is distinct from 'lost'
"""
_BEHIND = text(f"""
select c.source
from checkpoint c
join projection r on r.projection = c.projection and r.live = c.build
left join published_source s on s.source = c.source
where c.projection = 'participants'
  and exists ({_IS_FOLLOWED})
  and (
    s.source is null or s.build <> c.build or s.position < c.position or s.filled_to is not null
    or s.change < (select max(n.number) from roster_change n where n.source = c.source)
  )
order by c.source
""")  # noqa: S608 - the text above
_PUBLISH = text("select publish_participants(:source, :limit)")
_AT_A_TIME = 2_000  # participants in one transaction


def publish(engine: Engine, limit: int = _AT_A_TIME) -> bool:
    """One batch of every source that is behind, each in a transaction; none where nobody subscribes.

    Gives whether there is more to publish already.
    """
    with engine.begin() as connection:
        behind = _behind(connection)
    return max((_publish(engine, source, limit) for source in behind), default=0) >= limit


def _behind(connection: Connection) -> list[str]:
    return list(connection.execute(_BEHIND).scalars())


def _publish(engine: Engine, source: str, limit: int) -> int:
    with engine.begin() as connection:
        looked_at: int = connection.execute(_PUBLISH, {"source": source, "limit": limit}).scalar_one()
    return looked_at
