"""The participants' tables, in which every build has a part, and the views in which readers see the live one."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Computed,
    Date,
    DateTime,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
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

# Keys are in the collation "C", so that a page is the same on every server; the comparison with the database is blind
# to that.
participants_build = Table(
    "participants_build",
    metadata,
    *_of_a_participant(),
    _build(),
    Column("words", TSVECTOR, Computed("search_words(first_name, last_name, bib, team)", persisted=True)),
    PrimaryKeyConstraint("source", "participant_id", "build", name="participants_build_pkey"),
    Index("participants_build_event", "source", "event_id", "participant_id"),
    *(
        Index(f"participants_build_{column}", "source", text(f"sort_key({column})"), "participant_id")
        for column in ("last_name", "first_name", "email")
    ),
    Index("participants_build_bib", "source", text("bib_key(bib)"), "participant_id"),
    Index("participants_build_registered", "source", "registered_at", "participant_id"),
    Index("participants_build_updated", "source", "updated_at", "participant_id"),
    Index("participants_build_position", "source", "position", postgresql_include=["build"]),
    Index("participants_build_words", "words", postgresql_using="gin"),
    postgresql_partition_by=_BY_BUILD,
)
participant_answers_build = Table(
    "participant_answers_build",
    metadata,
    *_of_an_answer(),
    _build(),
    PrimaryKeyConstraint("source", "participant_id", "place", "build", name="participant_answers_build_pkey"),
    Index(
        "participant_answers_build_question",
        "source",
        text('"left"(question, 100)'),
        text('"left"(answer, 100)'),
        "participant_id",
    ),
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

# What changed on the roster without an event of the log: somebody was erased or folded again (`subject`), or another
# build went live (null). `position`: where the roster was; `event_ids`: in which events they were seen before.
roster_change = Table(
    "roster_change",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("number", BigInteger, nullable=False, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("subject", Text(collation="C")),
    Column("event_ids", ARRAY(Text), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("source", "number", name="roster_change_pkey"),
    Index("roster_change_position", "source", "position"),
)

# The views. They are the migrations' to make, so they are not among the tables that those are compared with.
_views = MetaData()
participants = Table("participants", _views, *_of_a_participant())
participants_searched = Table("participants_searched", _views, *_of_a_participant(), Column("words", TSVECTOR))
participant_answers = Table("participant_answers", _views, *_of_an_answer())
participant_history = Table("participant_history", _views, *_of_a_participant(), _until())

# A participant's columns in the order every answer has them: all but the source, which is the asker's own.
COLUMNS = tuple(column for column in participants.c if column.name != "source")
