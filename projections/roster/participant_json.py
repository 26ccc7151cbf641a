"""Participants as JSON that PostgreSQL writes: the same bytes in every answer and export."""

from typing import Any

from sqlalchemy import ColumnElement, DateTime, FromClause, Subquery, Text, func, select
from sqlalchemy.sql.selectable import LateralFromClause

from projections.roster.roster import shown


def spelled(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column as every answer and export spells it: a time in UTC as `2026-05-01T09:30:00Z`, others unchanged.

    A time has its microseconds, in six digits, where they are not zero.
    """
    if not isinstance(column.type, DateTime):
        return column
    return func.iso_time(column, type_=Text())


def written_participant(rows: FromClause) -> LateralFromClause:
    """One row per participant, to be joined with `rows`: the columns of every answer in its order, each spelled."""
    columns = (spelled(column).label(column.name) for column in shown(rows))
    return select(*columns).correlate(rows).lateral("participant")


def as_json(participant: LateralFromClause | Subquery) -> ColumnElement[Any]:
    """The row of a subquery as one JSON object."""
    return func.row_to_json(participant.table_valued())
