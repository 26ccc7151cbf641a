"""The tables of `participants`, with one partition per build, and the views that show the live build."""

from typing import Any

from sqlalchemy import (
    ARRAY,
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
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.types import TypeEngine

from ingest.database import metadata
from projections.participants.fields import DECLARED, Kind
from projections.participants.keys import KEY_COLUMNS, KEYED

_TYPES: dict[Kind, TypeEngine[Any]] = {
    Kind.ID: Text(collation="C"),
    Kind.TEXT: Text(),
    Kind.INTEGER: Integer(),
    Kind.DATE: Date(),
    Kind.TIME: DateTime(timezone=True),
}


def _participant_columns() -> list[Column[Any]]:
    return [
        Column("source", Text(collation="C"), nullable=False),
        Column("participant_id", Text(collation="C"), nullable=False),
        *(Column(field.column, _TYPES[field.kind]) for field in DECLARED.columns),
        Column("first_position", BigInteger, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("received_at", DateTime(timezone=True), nullable=False),
        Column("origin", Text, nullable=False, server_default="delivery"),
        Column("unlisted_at", DateTime(timezone=True)),
        Column("field_errors", JSONB, nullable=False),
        Column("attributes", JSONB),
    ]


def _key_columns() -> list[Column[Any]]:
    """By what participants are sorted, compared and searched."""
    types: dict[str, TypeEngine[Any]] = {"bib_number": BigInteger(), "words": TSVECTOR()}
    return [Column(name, types.get(name, Text(collation="C"))) for name in KEY_COLUMNS]


def _answer_columns() -> list[Column[Any]]:
    return [
        Column("source", Text(collation="C"), nullable=False),
        Column("participant_id", Text(collation="C"), nullable=False),
        Column("place", Integer, nullable=False, autoincrement=False),
        Column("question_id", Text(collation="C")),
        Column("question", Text, nullable=False),
        Column("answer", Text),
        Column("position", BigInteger, nullable=False),
        Column("question_key", Text(collation="C"), nullable=False),
        Column("event_id", Text(collation="C")),
    ]


def _build_column() -> Column[int]:
    return Column("build", Integer, nullable=False, autoincrement=False)


def _ended_columns() -> list[Column[Any]]:
    return [Column("until_position", BigInteger, nullable=False), Column("answers", JSONB)]


_BY_BUILD = "list (build)"

# Keys have the collation "C", so that pages have the same order on every server. The test that compares these tables
# with the database does not see collations.
participants_build = Table(
    "participants_build",
    metadata,
    *_participant_columns(),
    _build_column(),
    *_key_columns(),
    PrimaryKeyConstraint("source", "participant_id", "build", name="participants_build_pkey"),
    Index("participants_build_event", "source", "event_id", "participant_id"),
    *(
        Index(
            f"participants_build_{column}",
            "source",
            f"{column}_key",
            "participant_id",
            postgresql_where=text("team_key is not null") if column == "team" else None,
        )
        for column in KEYED
    ),
    Index(
        "participants_build_event_bib",
        "source",
        "event_id",
        "bib_key",
        postgresql_include=["build"],
    ),
    Index("participants_build_registered", "source", "registered_at", "participant_id"),
    Index("participants_build_updated", "source", "updated_at", "participant_id"),
    # Most rosters have few of these values: an index of those that there are costs little.
    *(
        Index(
            f"participants_build_{name}",
            "source",
            column,
            "participant_id",
            postgresql_where=text(f"{column} is not null"),
        )
        for name, column in (("checked_in", "checked_in_at"), ("age", "age"), ("athlete", "athlete_id"))
    ),
    Index("participants_build_position", "source", "position", postgresql_include=["build"]),
    Index("participants_build_words", "words", postgresql_using="gin"),
    Index(
        "participants_build_long",
        "source",
        postgresql_where=text("length(last_name_key) = 100 or length(first_name_key) = 100 or length(team_key) = 100"),
    ),
    postgresql_partition_by=_BY_BUILD,
)
participant_answers_build = Table(
    "participant_answers_build",
    metadata,
    *_answer_columns(),
    _build_column(),
    PrimaryKeyConstraint("source", "participant_id", "place", "build", name="participant_answers_build_pkey"),
    Index("participant_answers_build_answer", "source", "question_key", text('"left"(answer, 100)'), "participant_id"),
    Index(
        "participant_answers_build_question_words",
        "source",
        text("COALESCE(event_id, ''::text)"),
        "question_key",
        # Rows with words come first, since the words of a question are the newest that it has.
        text("(NOT question IS DISTINCT FROM question_id)"),
        text("position desc"),
        "place",
    ),
    postgresql_partition_by=_BY_BUILD,
)
participant_history_build = Table(
    "participant_history_build",
    metadata,
    *_participant_columns(),
    _build_column(),
    *_ended_columns(),
    *_key_columns(),
    PrimaryKeyConstraint("source", "participant_id", "position", "build", name="participant_history_build_pkey"),
    postgresql_partition_by=_BY_BUILD,
)

# Changes of the roster beside the log. `subject`: the participant that was erased or folded again; null if another
# build went live. `position`: the roster's position then. `event_ids`: the races that the participant was in before.
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

# The views. Migrations make them; they have a metadata of their own because the comparison with the database would take
# them for missing tables.
_views = MetaData()
participants = Table("participants", _views, *_participant_columns())
participants_keyed = Table("participants_keyed", _views, *_participant_columns(), *_key_columns())
participants_counted = Table(
    "participants_counted",
    _views,
    *(column for column in _participant_columns() if column.name != "attributes"),
    *_key_columns(),
)
participant_answers = Table("participant_answers", _views, *_answer_columns())
participant_history = Table("participant_history", _views, *_participant_columns(), *_ended_columns())
participant_history_keyed = Table(
    "participant_history_keyed", _views, *_participant_columns(), *_ended_columns(), *_key_columns()
)
past_answers = Table("past_answers", _views, *_answer_columns(), Column("until_position", BigInteger, nullable=False))

# A participant's columns in the order of every answer: all but the source, which the token decides.
PARTICIPANT_COLUMNS = tuple(column for column in participants.c if column.name != "source")
