"""The log's tables for SQLAlchemy, for reading. The migrations make them, and the functions that write them.

`readable_log` is the view in which projections read bodies: it alone says what an erasure hides.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from ingest.database import metadata

event_log = Table(
    "event_log",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("position", BigInteger, nullable=False, autoincrement=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("event_type", Text(collation="C")),
    Column("subject", Text(collation="C")),
    Column("digest", LargeBinary, nullable=False),
    Column("body", LargeBinary),
    Column("signature", Text),
    Column("chain", LargeBinary, nullable=False),
    PrimaryKeyConstraint("source", "position", name="event_log_pkey"),
    UniqueConstraint("source", "digest", name="event_log_dedup"),
    Index("event_log_subject", "source", "subject", postgresql_where=text("subject is not null")),
    Index("event_log_without_subject", "source", "position", postgresql_where=text("subject is null")),
    Index("event_log_own", "source", "position", postgresql_where=text("starts_with(event_type, 'rosterlog.')")),
)

source_table = Table(
    "source",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("head", BigInteger, nullable=False),
    Column("noted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("state", Text),
    Column("move_id", UUID),
    Column("other_place", Text),
    PrimaryKeyConstraint("source", name="source_pkey"),
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

erasures = Table(
    "erasures",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("erasure_id", UUID, nullable=False, server_default=func.gen_random_uuid()),
    Column("subject", Text(collation="C"), nullable=False),
    Column("operator", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("erased_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("positions", ARRAY(BigInteger), nullable=False),
    Column("digests", ARRAY(LargeBinary), nullable=False),
    Column("lifted_at", DateTime(timezone=True)),
    Column("lifted_by", Text),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("recorded_by", Text, nullable=False, server_default=text("session_user")),
    PrimaryKeyConstraint("source", "erasure_id", name="erasures_pkey"),
    Index("erasures_subject", "source", "subject"),
)

first_absence = Table(
    "first_absence",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("participant_id", Text(collation="C"), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("base", BigInteger, nullable=False),
    Column("taken_at", DateTime(timezone=True), nullable=False),
    Column("file_sha256", Text, nullable=False),
    Column("event_ids", ARRAY(Text)),
    Column("confirmed", BigInteger, nullable=False),
    PrimaryKeyConstraint("source", "participant_id", name="first_absence_pkey"),
)

# A view, so it has a MetaData of its own: a test compares the tables of `metadata` with the database's.
readable_log = Table(
    "readable_log",
    MetaData(),
    Column("source", Text(collation="C")),
    Column("position", BigInteger),
    Column("received_at", DateTime(timezone=True)),
    Column("event_type", Text(collation="C")),
    Column("subject", Text(collation="C")),
    Column("body", LargeBinary),
    Column("is_own", Boolean),
)
