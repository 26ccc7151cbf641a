"""Keeps the published roster up to date while a warehouse subscribes to it: the publication `rosterlog_reporting`."""

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Engine,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from ingest.database import metadata

_IDS = ("source", "participant_id", "event_id", "sub_event_id", "athlete_id")
_TEXTS = "event_name sub_event_name status first_name last_name bib gender team wave state country age_band".split()
_TIMES = ("checked_in_at", "registered_at", "updated_at", "received_at")

# For subscribers alone; a database function writes it.
published_participants = Table(
    "published_participants",
    metadata,
    *(Column(name, Text(collation="C"), nullable=name not in ("source", "participant_id")) for name in _IDS),
    *(Column(name, Text) for name in _TEXTS),
    *(Column(name, DateTime(timezone=True), nullable=name != "received_at") for name in _TIMES),
    *(Column(name, BigInteger, nullable=False) for name in ("first_position", "position")),
    PrimaryKeyConstraint("source", "participant_id", name="published_participants_pkey"),
    comment="The roster without personal data, as reporting.participants has it, for subscribers of the publication "
    "rosterlog_reporting; filled while there is one",
)
published_source = Table(
    "published_source",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("build", Integer, nullable=False, server_default=text("0")),
    Column("position", BigInteger, nullable=False, server_default=text("0")),
    Column("change", BigInteger, nullable=False, server_default=text("0")),
    Column("filled_to", Text(collation="C")),
    PrimaryKeyConstraint("source", name="published_source_pkey"),
)

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
