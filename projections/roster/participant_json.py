"""Participants as JSON that PostgreSQL writes: the same bytes in every answer and export."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, JSON, ColumnElement, DateTime, FromClause, Subquery, Text, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.selectable import LateralFromClause

from projections.participants.fields import ANSWERS
from projections.participants.table import participant_answers
from projections.roster.shown import Shown

EVERYTHING = Shown()
SEPARATOR = "; "  # between several answers to one question, where these are one text
ANSWER_CELLS = "answer_cells"  # the answers to some questions, each as one text, by the questions' keys


def spelled(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column as every answer and export spells it: a time in UTC as `2026-05-01T09:30:00Z`, others unchanged.

    A time has its microseconds, in six digits, where they are not zero.
    """
    if not isinstance(column.type, DateTime):
        return column
    return func.iso_time(column, type_=Text())


def written_participant(
    rows: FromClause, source: str, shown: Shown = EVERYTHING, answers: FromClause = participant_answers
) -> LateralFromClause:
    """One row per participant, to be joined with `rows`: what is shown, in its order, each column spelled.

    `source`: of all rows. `answers`: where those of the rows' states are read.
    """
    columns = [spelled(rows.c[name]).label(name) for name in shown.columns]
    if shown.has_answers:
        columns.append(written_answers(rows, source, answers).label(ANSWERS))
    if shown.question_keys:
        columns.append(_answer_cells(rows, source, answers, shown.question_keys).label(ANSWER_CELLS))
    return select(*columns).correlate(rows, answers).lateral("participant")


def written_answers(rows: FromClause, source: str, answers: FromClause) -> ColumnElement[Any]:
    """The answers of a row's state as an array of records, in the order of the form."""
    of_state = answers.alias("of_state")
    in_order = (
        select(of_state.c.question_id, of_state.c.question, of_state.c.answer)
        .where(
            of_state.c.source == source,
            of_state.c.participant_id == rows.c.participant_id,
            of_state.c.position == rows.c.position,
        )
        .order_by(of_state.c.place)
        .correlate(rows)
        .subquery("in_order")
    )
    return func.array(select(in_order.table_valued()).scalar_subquery(), type_=ARRAY(JSON))


def _answer_cells(rows: FromClause, source: str, answers: FromClause, keys: Sequence[str]) -> ColumnElement[Any]:
    """A row's answers to these questions, by key."""
    of_state = answers.alias("of_cells")
    in_order = aggregate_order_by(literal(SEPARATOR), of_state.c.place)
    given = (
        select(of_state.c.question_key, func.string_agg(of_state.c.answer, in_order).label("answer"))
        .where(
            of_state.c.source == source,
            of_state.c.participant_id == rows.c.participant_id,
            of_state.c.position == rows.c.position,
            of_state.c.question_key.in_(keys),
        )
        .group_by(of_state.c.question_key)
        .correlate(rows)
        .subquery("given")
    )
    return select(func.json_object_agg(given.c.question_key, given.c.answer)).scalar_subquery()


def as_json(participant: LateralFromClause | Subquery) -> ColumnElement[Any]:
    """The row of a subquery as one JSON object."""
    return func.row_to_json(participant.table_valued())
