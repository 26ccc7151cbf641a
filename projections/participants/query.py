"""Reads the roster of a view: one participant, a page of those that meet criteria, how many those are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, func, literal_column, select, union_all
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.participants.conditions import conditions
from projections.participants.criteria import Criteria
from projections.participants.order import Order
from projections.participants.view import View

_Column = ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a list, and the keys of the last one if more follow."""

    rows: Sequence[RowMapping]
    last: tuple[Any, ...] | None


async def participant(connection: AsyncConnection, view: View, participant_id: str) -> RowMapping | None:
    rows = view.rows
    found = select(*view.shown(rows)).where(rows.c.participant_id == participant_id)
    return (await connection.execute(found)).mappings().first()


async def page(
    connection: AsyncConnection, view: View, criteria: Criteria, after: Sequence[object] | None, limit: int
) -> Page:
    """Up to `limit` participants in the order asked for, those that follow the keys `after`, if they are given.

    Raises `AnswersOfThePast`.
    """
    found, keys = page_of(view, criteria, after, limit + 1)
    rows = (await connection.execute(found)).mappings().all()
    last = tuple(rows[limit - 1][key] for key in keys) if len(rows) > limit else None
    return Page(rows[:limit], last)


def listed(view: View, criteria: Criteria, shown: Callable[[_Column], _Column] = lambda column: column) -> Select[Any]:
    """Everybody who meets the criteria, in the order asked for, for an export; each column as `shown` gives it.

    Raises `AnswersOfThePast`.
    """
    rows = view.rows
    columns = (shown(column).label(column.name) for column in view.shown(rows))
    return select(*columns).where(conditions(view, rows, criteria)).order_by(*Order(rows, criteria.sort).all)


async def count(connection: AsyncConnection, view: View, criteria: Criteria) -> int:
    """How many meet the criteria: all of them are looked at."""
    found: int = (await connection.execute(_counted(view, criteria, func.count()))).scalar_one()
    return found


async def estimate(connection: AsyncConnection, view: View, criteria: Criteria) -> int:
    """How many the planner thinks there are, from its statistics: nothing is looked at."""
    statement, values = for_psycopg(_counted(view, criteria, literal_column("1")))
    [plan] = (await connection.exec_driver_sql(f"explain (format json) {statement}", values)).scalar_one()
    return int(plan["Plan"]["Plan Rows"])


def for_psycopg(statement: Select[Any]) -> tuple[str, dict[str, Any]]:
    """A statement as the driver takes it, and its values."""
    compiled = statement.compile(
        dialect=postgresql.psycopg.dialect(),  # type: ignore[no-untyped-call] # SQLAlchemy's own
        compile_kwargs={"render_postcompile": True},
    )
    return str(compiled), dict(compiled.params)


def _counted(view: View, criteria: Criteria, what: _Column) -> Select[Any]:
    rows = view.rows
    return select(what).select_from(rows).where(conditions(view, rows, criteria))


def page_of(
    view: View, criteria: Criteria, after: Sequence[object] | None, limit: int
) -> tuple[Select[Any], list[str]]:
    """The statement of a page, and the names of the keys in it.

    First who is on the page, from the indexes alone; then what is known of those few.
    """
    rows = view.rows
    order = Order(rows, criteria.sort)
    met = conditions(view, rows, criteria)
    parts = [
        select(rows.c.participant_id.label("id"), *order.keys, literal_column(str(number)).label("part"))
        .where(met, one.condition)
        .order_by(*one.order)
        .limit(limit)
        for number, one in enumerate(order.ranges(after))
    ]
    every = union_all(*(select(part.subquery()) for part in parts)).subquery()
    picked = select(every).order_by(every.c.part, *order.by(every)).limit(limit).subquery()
    shown = view.rows
    names = [key.name for key in order.keys]
    found = (
        select(*view.shown(shown), *(picked.c[name] for name in names))
        .select_from(picked.join(shown, shown.c.participant_id == picked.c.id))
        .order_by(picked.c.part, *order.by(picked))
    )
    return found, names
