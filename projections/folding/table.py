"""The tables of every projection: its builds, and per source how far each is, what is parked, what is unknown."""

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from ingest.database import metadata


def _goes_with_build(table: str) -> ForeignKeyConstraint:
    """Rows that are deleted with the build that they are kept for."""
    build = ["projection_build.projection", "projection_build.build"]
    return ForeignKeyConstraint(["projection", "build"], build, name=f"{table}_build_fkey", ondelete="CASCADE")


projection_table = Table(
    "projection",
    metadata,
    Column("projection", Text(collation="C"), nullable=False),
    Column("tables", ARRAY(Text), nullable=False),
    Column("last_build", Integer, nullable=False, server_default=text("0")),
    Column("live", Integer),
    Column("previous", Integer),
    PrimaryKeyConstraint("projection", name="projection_pkey"),
)

build_table = Table(
    "projection_build",
    metadata,
    Column("projection", Text(collation="C"), nullable=False),
    Column("build", Integer, nullable=False, autoincrement=False),
    Column("definition", Text, nullable=False),
    Column("begun_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("loaded_events", BigInteger),
    Column("events_to_load", BigInteger),
    Column("moved_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("projection", "build", name="projection_build_pkey"),
)

# In which zone the days of a race are in a build; `event_id` null: of every other race. From each of `changes` on holds
# the offset after it, in seconds.
calendar_table = Table(
    "event_calendar",
    metadata,
    Column("projection", Text(collation="C"), nullable=False),
    Column("build", Integer, nullable=False, autoincrement=False),
    Column("event_id", Text(collation="C")),
    Column("time_zone", Text(collation="C"), nullable=False),
    Column("changes", ARRAY(DateTime(timezone=True)), nullable=False),
    Column("offsets", ARRAY(Integer), nullable=False),
    Column("starts_on", Date),
    Column("previous_event_id", Text(collation="C")),
    UniqueConstraint("projection", "build", "event_id", name="event_calendar_key", postgresql_nulls_not_distinct=True),
    _goes_with_build("event_calendar"),
)

checkpoint_table = Table(
    "checkpoint",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("projection", Text(collation="C"), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("moved_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("build", Integer, nullable=False, autoincrement=False),
    PrimaryKeyConstraint("source", "projection", "build", name="checkpoint_pkey"),
    _goes_with_build("checkpoint"),
)

quarantine_table = Table(
    "quarantine",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("projection", Text(collation="C"), nullable=False),
    Column("position", BigInteger, nullable=False, autoincrement=False),
    Column("participant_id", Text(collation="C")),
    Column("reason", Text, nullable=False),
    Column("parked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("build", Integer, nullable=False, autoincrement=False),
    PrimaryKeyConstraint("source", "projection", "build", "position", name="quarantine_pkey"),
    _goes_with_build("quarantine"),
    Index("quarantine_participant", "source", "projection", "build", "participant_id"),
)

unknown_type_table = Table(
    "unknown_event_type",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("projection", Text(collation="C"), nullable=False),
    Column("event_type", Text(collation="C"), nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("last_position", BigInteger, nullable=False),
    Column("build", Integer, nullable=False, autoincrement=False),
    PrimaryKeyConstraint("source", "projection", "build", "event_type", name="unknown_event_type_pkey"),
    _goes_with_build("unknown_event_type"),
)

dismissed_table = Table(
    "dismissed_event",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("position", BigInteger, nullable=False, autoincrement=False),
    Column("operator", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("dismissed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("source", "position", name="dismissed_event_pkey"),
)

worker_seen_table = Table(
    "worker_seen",
    metadata,
    Column("worker", Text(collation="C"), nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("working_on", Text),
    PrimaryKeyConstraint("worker", name="worker_seen_pkey"),
)
