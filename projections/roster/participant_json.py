"""Participants as JSON that PostgreSQL writes: the same bytes in every answer and export."""

from typing import Any

from sqlalchemy import ARRAY, JSON, ColumnElement, DateTime, FromClause, Subquery, Text, func, select
from sqlalchemy.sql.selectable import LateralFromClause

from projections.participants.fields import ANSWERS
from projections.participants.table import participant_answers
from projections.roster.shown import Shown

EVERYTHING = Shown()


def spelled(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column as every answer and export spells it: a time in UTC as `2026-05-01T09:30:00Z`, others unchanged.

    A time has its microseconds, in six digits, where they are not zero.
    """
    if not isinstance(column.type, DateTime):
        return column
    return func.iso_time(column, type_=Text())


def written_participant(
    rows: FromClause, shown: Shown = EVERYTHING, answers: FromClause = participant_answers
) -> LateralFromClause:
    """One row per participant, to be joined with `rows`: what is shown, in its order, each column spelled.

    `answers`: where those of the rows' states are read.
    """
    columns = [spelled(rows.c[name]).label(name) for name in shown.columns]
    if shown.has_answers:
        columns.append(written_answers(rows, answers).label(ANSWERS))
    return select(*columns).correlate(rows, answers).lateral("participant")


def written_answers(rows: FromClause, answers: FromClause) -> ColumnElement[Any]:
    """The answers of a row's state as an array of records, in the order of the form."""
    of_state = answers.alias("of_state")
    in_order = (
        select(of_state.c.question_id, of_state.c.question, of_state.c.answer)
        .where(
            of_state.c.source == rows.c.source,
            of_state.c.participant_id == rows.c.participant_id,
            of_state.c.position == rows.c.position,
        )
        .order_by(of_state.c.place)
        .correlate(rows)
        .subquery("in_order")
    )
    return func.array(select(in_order.table_valued()).scalar_subquery(), type_=ARRAY(JSON))


def as_json(participant: LateralFromClause | Subquery) -> ColumnElement[Any]:
    """The row of a subquery as one JSON object."""
    return func.row_to_json(participant.table_valued())
