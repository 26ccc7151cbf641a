"""The tables of `registrations`, with one partition per build."""

from sqlalchemy import BigInteger, Column, Date, DateTime, Integer, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from ingest.database import metadata

_BY_BUILD = "list (build)"

registrations_build = Table(
    "registrations_build",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("participant_id", Text(collation="C"), nullable=False),
    Column("event_id", Text(collation="C")),
    Column("sub_event_id", Text(collation="C")),
    Column("day", Date, nullable=False),
    Column("updated_at", DateTime(timezone=True)),
    Column("first_position", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("build", Integer, nullable=False, autoincrement=False),
    PrimaryKeyConstraint("source", "participant_id", "build", name="registrations_build_pkey"),
    postgresql_partition_by=_BY_BUILD,
)

registrations_daily_build = Table(
    "registrations_daily_build",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("event_id", Text(collation="C")),
    Column("sub_event_id", Text(collation="C")),
    Column("day", Date, nullable=False),
    Column("registrations", BigInteger, nullable=False),
    Column("build", Integer, nullable=False, autoincrement=False),
    UniqueConstraint(
        "source", "event_id", "sub_event_id", "day", "build",
        name="registrations_daily_build_key", postgresql_nulls_not_distinct=True,
    ),
    postgresql_partition_by=_BY_BUILD,
)  # fmt: skip
