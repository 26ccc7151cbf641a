"""The log's tables as SQLAlchemy sees them, for reading. The migrations made them and `append_events` writes them."""

from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from ingest.database import metadata

event_log = Table(
    "event_log",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("position", BigInteger, nullable=False, autoincrement=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("event_type", Text),
    Column("subject", Text),
    Column("digest", LargeBinary, nullable=False),
    Column("body", LargeBinary),
    Column("signature", Text, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    PrimaryKeyConstraint("source", "position", name="event_log_pkey"),
    UniqueConstraint("source", "digest", name="event_log_dedup"),
)

event_redelivery = Table(
    "event_redelivery",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("position", BigInteger, nullable=False, autoincrement=False),
    Column("redeliveries", BigInteger, nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("source", "position", name="event_redelivery_pkey"),
)
