"""The participants table: the declared columns, then what the log knows of them."""

from typing import Any

from sqlalchemy import BigInteger, Column, Date, DateTime, Index, Integer, PrimaryKeyConstraint, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from ingest.database import metadata
from projections.participants.fields import FIELDS, Kind

_TYPES: dict[Kind, TypeEngine[Any]] = {
    Kind.ID: Text(collation="C"),
    Kind.TEXT: Text(),
    Kind.INTEGER: Integer(),
    Kind.DATE: Date(),
    Kind.TIME: DateTime(timezone=True),
}

participants = Table(
    "participants",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("participant_id", Text(collation="C"), nullable=False),
    *(Column(field.column, _TYPES[field.kind]) for field in FIELDS),
    Column("first_position", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("field_errors", JSONB, nullable=False),
    Column("attributes", JSONB, nullable=False),
    PrimaryKeyConstraint("source", "participant_id", name="participants_pkey"),
    Index("participants_event", "source", "event_id", "participant_id"),
)

# A participant's columns in the order every answer has them: all but the source, which is the asker's own.
COLUMNS = tuple(column for column in participants.c if column.name != "source")
