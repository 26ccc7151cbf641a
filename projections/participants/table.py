"""The participants' tables, in which every build has a part, and the views in which readers see the live one."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from ingest.database import metadata
from projections.participants.fields import DECLARED, Kind

_TYPES: dict[Kind, TypeEngine[Any]] = {
    Kind.ID: Text(collation="C"),
    Kind.TEXT: Text(),
    Kind.INTEGER: Integer(),
    Kind.DATE: Date(),
    Kind.TIME: DateTime(timezone=True),
}


def _of_a_participant() -> list[Column[Any]]:
    return [
        Column("source", Text(collation="C"), nullable=False),
        Column("participant_id", Text(collation="C"), nullable=False),
        *(Column(field.column, _TYPES[field.kind]) for field in DECLARED.columns),
        Column("first_position", BigInteger, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("received_at", DateTime(timezone=True), nullable=False),
        Column("field_errors", JSONB, nullable=False),
        Column("attributes", JSONB),
    ]


def _of_an_answer() -> list[Column[Any]]:
    return [
        Column("source", Text(collation="C"), nullable=False),
        Column("participant_id", Text(collation="C"), nullable=False),
        Column("place", Integer, nullable=False, autoincrement=False),
        Column("question_id", Text(collation="C")),
        Column("question", Text, nullable=False),
        Column("answer", Text),
        Column("position", BigInteger, nullable=False),
    ]


def _build() -> Column[int]:
    return Column("build", Integer, nullable=False, autoincrement=False)


def _until() -> Column[int]:
    return Column("until_position", BigInteger, nullable=False)


_BY_BUILD = "list (build)"

participants_build = Table(
    "participants_build",
    metadata,
    *_of_a_participant(),
    _build(),
    PrimaryKeyConstraint("source", "participant_id", "build", name="participants_build_pkey"),
    Index("participants_build_event", "source", "event_id", "participant_id"),
    postgresql_partition_by=_BY_BUILD,
)
participant_answers_build = Table(
    "participant_answers_build",
    metadata,
    *_of_an_answer(),
    _build(),
    PrimaryKeyConstraint("source", "participant_id", "place", "build", name="participant_answers_build_pkey"),
    postgresql_partition_by=_BY_BUILD,
)
participant_history_build = Table(
    "participant_history_build",
    metadata,
    *_of_a_participant(),
    _build(),
    _until(),
    PrimaryKeyConstraint("source", "participant_id", "position", "build", name="participant_history_build_pkey"),
    postgresql_partition_by=_BY_BUILD,
)

# The views. They are the migrations' to make, so they are not among the tables that those are compared with.
_views = MetaData()
participants = Table("participants", _views, *_of_a_participant())
participant_answers = Table("participant_answers", _views, *_of_an_answer())
participant_history = Table("participant_history", _views, *_of_a_participant(), _until())

# A participant's columns in the order every answer has them: all but the source, which is the asker's own.
COLUMNS = tuple(column for column in participants.c if column.name != "source")
