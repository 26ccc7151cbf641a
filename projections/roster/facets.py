"""Numbers beside a page: how many participants meet criteria, and how many of them have each value of a column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, literal_column, select, text, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from ingest.sqlstate import is_cancelled
from projections.roster.criteria import Criteria
from projections.roster.roster import Roster
from projections.roster.where import conditions

MOST_COUNTED = 10_000
MOST_IN_FACET = 20
_MILLISECONDS = 400  # for which a page waits for facets


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of a column with their numbers, the commonest first, None last. `has_more`: there are more values."""

    column: str
    values: Sequence[tuple[str | None, int]]
    has_more: bool


async def count_some(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> int:
    """How many participants meet the criteria; one more than `MOST_COUNTED` stands for any larger number."""
    rows = roster.rows
    some: Select[Any] = select(literal_column("1")).select_from(rows).where(conditions(roster, rows, criteria))
    statement = select(func.count()).select_from(some.limit(MOST_COUNTED + 1).subquery())
    number: int = (await connection.execute(statement)).scalar_one()
    return number


async def facets(
    connection: AsyncConnection, roster: Roster, criteria: Criteria, columns: Sequence[str]
) -> list[Facet] | None:
    """The facets of the participants who meet the criteria; None if counting takes too long.

    Columns of text. The transaction goes on either way.
    """
    statement = _counted(roster, criteria, columns)
    savepoint = await connection.begin_nested()
    try:
        await connection.execute(text(f"set local statement_timeout = '{_MILLISECONDS}ms'"))
        rows = (await connection.execute(statement)).all()
    except DBAPIError as error:
        await savepoint.rollback()
        if not is_cancelled(error):
            raise
        return None
    await savepoint.rollback()  # with the time-out
    return [_facet(column, place, len(columns), rows) for place, column in enumerate(columns)]


def _counted(roster: Roster, criteria: Criteria, columns: Sequence[str]) -> Select[Any]:
    rows = roster.rows
    chosen = select(*(rows.c[name] for name in columns)).where(conditions(roster, rows, criteria)).subquery()
    values = [chosen.c[name] for name in columns]
    sets = func.grouping_sets(*(tuple_(value) for value in values))
    return select(func.grouping(*values).label("bits"), func.count().label("number"), *values).group_by(sets)


def _facet(column: str, place: int, number: int, rows: Sequence[Row[Any]]) -> Facet:
    """A facet, from the rows whose grouping set is this column alone: its bit is the only one that is 0."""
    bits = (1 << number) - 1 - (1 << (number - 1 - place))
    counted: Mapping[str | None, int] = {row._mapping[column]: row.number for row in rows if row.bits == bits}
    ordered = sorted(counted.items(), key=lambda each: (each[0] is None, -each[1], each[0] or ""))
    named = [each for each in ordered if each[0] is not None]
    return Facet(column, [*named[:MOST_IN_FACET], *ordered[len(named) :]], len(named) > MOST_IN_FACET)
