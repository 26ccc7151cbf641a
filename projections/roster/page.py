"""Reads the roster of a view: one participant, a page of those that meet criteria, how many those are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    RowMapping,
    Select,
    Text,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.folding.checkpoint import checkpoint_table
from projections.roster import search
from projections.roster.criteria import Criteria
from projections.roster.order import Order, Range, name_of
from projections.roster.roster import Roster, shown
from projections.roster.where import conditions

_Column = ColumnElement[Any]
IDS = "ids"  # what people are bound as


@dataclass(frozen=True, slots=True)
class RosterPage:
    """Rows of a list, and the keys of the last one if more follow."""

    rows: Sequence[RowMapping]
    last: tuple[Any, ...] | None


async def one(connection: AsyncConnection, roster: Roster, participant_id: str) -> RowMapping | None:
    rows = roster.rows
    found = select(*shown(rows)).where(roster.sees(rows), rows.c.participant_id == participant_id)
    return (await connection.execute(found)).mappings().first()


async def find(
    connection: AsyncConnection, roster: Roster, criteria: Criteria, after: Sequence[object] | None, limit: int
) -> RosterPage:
    """Up to `limit` participants in the order asked for, those that follow the keys `after`, if they are given.

    Raises `AnswersOfThePast`.
    """
    asked = _Asked(roster, criteria, None if after is None else tuple(value is None for value in after), limit + 1)
    following = {name_of(place): value for place, value in enumerate(after or ())}
    if not search.needs_help(roster, criteria):
        return await _read(connection, asked, following)
    for some in search.SOME:
        found = await _read(connection, replace(asked, some=some), following)
        if found.last is not None:  # the words are common: a page was full before long
            return found
        if len(found.rows) * search.WORTH_GOING_ON < limit:
            break
    ids = await search.few(connection, roster, criteria)
    if ids is None:
        return await _read(connection, asked, following)
    among = replace(asked, criteria=replace(criteria, words=None), is_of_these=True)
    return await _read(connection, among, {**following, IDS: ids})


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the statement of a page depends on. `empty`: which keys of the row before it are; null: there is none.

    `some`: only so many of those who come next are looked at. `is_of_these`: only those whose ids are bound.
    """

    roster: Roster
    criteria: Criteria
    empty: tuple[bool, ...] | None
    limit: int
    some: int | None = None
    is_of_these: bool = False


async def _read(connection: AsyncConnection, asked: _Asked, bound: Mapping[str, object]) -> RosterPage:
    statement, values, keys = _page(asked)
    rows = (await connection.exec_driver_sql(statement, {**values, **bound})).mappings().all()
    shown_ = asked.limit - 1
    last = tuple(rows[shown_ - 1][key] for key in keys) if len(rows) > shown_ else None
    return RosterPage(rows[:shown_], last)


@lru_cache(256)
def _page(asked: _Asked) -> tuple[str, dict[str, Any], list[str]]:
    """Making a statement takes as long as an answer of the database; pages of one question have the same."""
    statement, keys = _statement(asked)
    return *for_psycopg(statement), keys


def select_all(
    roster: Roster, criteria: Criteria, as_: Callable[[_Column], _Column] = lambda column: column
) -> Select[Any]:
    """Everybody who meets the criteria, in the order asked for, for an export; each column as `as_` gives it.

    Raises `AnswersOfThePast`.
    """
    rows = roster.rows
    columns = (as_(column).label(column.name) for column in shown(rows))
    return select(*columns).where(conditions(roster, rows, criteria)).order_by(*Order(rows, criteria.sort).all)


async def count(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> int:
    """How many meet the criteria: all of them are looked at."""
    found: int = (await connection.execute(_counted(roster, criteria, func.count()))).scalar_one()
    return found


async def sees_all(connection: AsyncConnection, roster: Roster) -> bool:
    """Whether there is nothing in the roster's tables that the view may not see."""
    others = select(exists().where(checkpoint_table.c.source != roster.source))
    return roster.event_ids is None and not (await connection.execute(others)).scalar_one()


async def estimate(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> int:
    """How many the planner thinks there are, from its statistics: nothing is looked at."""
    statement, values = for_psycopg(_counted(roster, criteria, literal_column("1")))
    [plan] = (await connection.exec_driver_sql(f"explain (format json) {statement}", values)).scalar_one()
    return int(plan["Plan"]["Plan Rows"])


def for_psycopg(statement: Select[Any]) -> tuple[str, dict[str, Any]]:
    """A statement as the driver takes it, and its values."""
    compiled = statement.compile(
        dialect=postgresql.psycopg.dialect(),  # type: ignore[no-untyped-call] # SQLAlchemy's own
        compile_kwargs={"render_postcompile": True},
    )
    return str(compiled), dict(compiled.params)


def _counted(roster: Roster, criteria: Criteria, what: _Column) -> Select[Any]:
    rows = roster.rows
    return select(what).select_from(rows).where(conditions(roster, rows, criteria))


def page_of(
    roster: Roster, criteria: Criteria, empty: tuple[bool, ...] | None, limit: int
) -> tuple[Select[Any], list[str]]:
    """The statement of a page, and the names of its keys. `empty`: which keys of the row before it are; null: none."""
    return _statement(_Asked(roster, criteria, empty, limit))


def _statement(asked: _Asked) -> tuple[Select[Any], list[str]]:
    """First who is on the page, from the indexes alone; then what is known of those few."""
    roster, limit = asked.roster, asked.limit
    rows = roster.rows
    order = Order(rows, asked.criteria.sort)
    every = union_all(*(select(part.subquery()) for part in _parts(asked, rows, order))).subquery()
    picked = select(every).order_by(every.c.part, *order.by(every)).limit(limit).subquery()
    names = [key.name for key in order.keys]
    found = (
        select(*shown(rows), *(picked.c[name] for name in names))
        .select_from(picked.join(rows, rows.c.participant_id == picked.c.id))
        .where(roster.sees(rows))
        .order_by(picked.c.part, *order.by(picked))
    )
    return found, names


def _parts(asked: _Asked, rows: FromClause, order: Order) -> list[Select[Any]]:
    if asked.some is not None:
        next_ = order.next(asked.empty)
        coming = select(rows).where(asked.roster.sees(rows), next_.condition).order_by(*next_.order).limit(asked.some)
        some = coming.subquery()
        return [_part(asked, some, Order(some, asked.criteria.sort).next(None), 0)]
    parts = [_part(asked, rows, one, number) for number, one in enumerate(order.ranges(asked.empty))]
    if asked.is_of_these:
        these = rows.c.participant_id == func.any(bindparam(IDS, required=False, type_=ARRAY(Text)))
        parts = [part.where(these) for part in parts]
    return parts


def _part(asked: _Asked, rows: FromClause, one: Range, number: int) -> Select[Any]:
    """Who of a range meets the criteria: ids, keys, and the number of the range."""
    keys = Order(rows, asked.criteria.sort).keys
    return (
        select(rows.c.participant_id.label("id"), *keys, literal_column(str(number)).label("part"))
        .where(conditions(asked.roster, rows, asked.criteria), one.condition)
        .order_by(*one.order)
        .limit(asked.limit)
    )
