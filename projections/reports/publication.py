"""Keeps the publication `rosterlog_reporting` up to date while a warehouse subscribes to it."""

from sqlalchemy import Engine, text

_SUBSCRIBERS = """
    select from pg_replication_slots s
    where s.plugin = 'pgoutput' and s.database = current_database() and s.wal_status is distinct from 'lost'
"""
_BEHIND = text(f"""
select c.source
from checkpoint c
join projection r on r.projection = c.projection and r.live = c.build
left join published_source s on s.source = c.source
where c.projection = 'participants'
  and exists ({_SUBSCRIBERS})
  and (
    s.source is null or s.build <> c.build or s.position < c.position or s.filled_to is not null
    or s.change < (select max(n.number) from roster_change n where n.source = c.source)
  )
order by c.source
""")  # noqa: S608 - the constant above
_PUBLISH = text("select publish_participants(:source, :limit)")
_AT_A_TIME = 2_000  # participants per transaction


def publish(engine: Engine, limit: int = _AT_A_TIME) -> bool:
    """Publish one batch of each source that is behind, one transaction per source; none without a subscriber.

    `limit`: participants per batch. Gives True if there is more to publish at once.
    """
    with engine.begin() as connection:
        sources = connection.execute(_BEHIND).scalars().all()
    return max((_publish(engine, source, limit) for source in sources), default=0) >= limit


def _publish(engine: Engine, source: str, limit: int) -> int:
    with engine.begin() as connection:
        compared: int = connection.execute(_PUBLISH, {"source": source, "limit": limit}).scalar_one()
    return compared
