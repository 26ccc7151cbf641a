"""Reads a roster: one participant, a page of the participants that meet criteria, their number."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.folding.table import checkpoint_table
from projections.roster import search
from projections.roster.criteria import Criteria
from projections.roster.order import Order, Range, name_of
from projections.roster.participant_json import EVERYTHING, as_json, written_participant
from projections.roster.reading import Begin, Fits, for_psycopg, read_few, read_rows
from projections.roster.roster import Roster
from projections.roster.shown import Shown
from projections.roster.where import conditions

_Column = ColumnElement[Any]
IDS = "ids"  # the bind name of participants' ids
_ID = "id"


@dataclass(frozen=True, slots=True)
class RosterPage:
    """Participants as JSON. `last`, `first`: the sort keys of the last one and of the first one.

    None if no more follow, or none is before them.
    """

    rows: Sequence[bytes]
    last: tuple[Any, ...] | None
    first: tuple[Any, ...] | None = None


async def participant(
    connection: AsyncConnection, roster: Roster, participant_id: str, shown: Shown = EVERYTHING
) -> bytes | None:
    """A participant as JSON; None if the participant is not on the roster."""
    statement, values = _of_one(roster, shown)
    rows = await read_few(connection, statement, {**values, _ID: participant_id})
    return next((participant for (participant,) in rows), None)


@lru_cache(256)
def _of_one(roster: Roster, shown: Shown) -> tuple[str, dict[str, Any]]:
    """Cached for the same reason as `_compiled`. The id is bound as `_ID`."""
    rows = roster.rows
    written = written_participant(rows, roster.source, shown, roster.answers)
    statement = select(as_json(written)).select_from(rows.join(written, true()))
    id_ = bindparam(_ID, required=False, type_=Text())
    return for_psycopg(statement.where(roster.sees(rows), rows.c.participant_id == id_))


async def find(
    connection: AsyncConnection,
    roster: Roster,
    criteria: Criteria,
    after: Sequence[object] | None,
    limit: int,
    begin: Begin,
    shown: Shown = EVERYTHING,
    *,
    backwards: bool = False,
) -> RosterPage:
    """Up to `limit` participants in the order of the criteria; with `after`, those after the row with these sort keys;
    `backwards`, those before it.

    A page ends before a participant that does not fit; no other statement may follow on the connection then.
    """
    empty = None if after is None else tuple(value is None for value in after)
    query = _Query(roster, criteria, empty, limit + 1, shown, backwards=backwards)
    keys = {name_of(index): value for index, value in enumerate(after or ())}
    if not search.needs_help(roster, criteria):
        return await _read(connection, query, keys, begin())
    for scanned in () if backwards else search.SOME:
        page = await _read(connection, replace(query, scanned=scanned), keys, begin())
        if page.last is not None:  # the words are common: the page is full
            return page
        if len(page.rows) * search.WORTH_GOING_ON < limit:
            break
    ids = await search.few(connection, roster, criteria)
    if ids is None:
        return await _read(connection, query, keys, begin())
    by_ids = replace(query, criteria=replace(criteria, words=None), by_ids=True)
    return await _read(connection, by_ids, {**keys, IDS: ids}, begin())


@dataclass(frozen=True, slots=True)
class _Query:
    """What the statement of a page depends on; the values of keys and the ids are bound.

    `empty`: which keys of the row before the page are empty; None: there is no such row. `scanned`: how many of the
    next rows are read at the most; None: any number. `by_ids`: only the participants whose ids are bound as `IDS`.
    `backwards`: the rows before that row instead, the nearest first.
    """

    roster: Roster
    criteria: Criteria
    empty: tuple[bool, ...] | None
    limit: int
    shown: Shown = EVERYTHING
    scanned: int | None = None
    by_ids: bool = False
    backwards: bool = False


async def _read(connection: AsyncConnection, query: _Query, bound: Mapping[str, object], fits: Fits) -> RosterPage:
    statement, values = _compiled(query)
    size = query.limit - 1
    participants: list[bytes] = []
    sort_keys: list[tuple[Any, ...]] = []
    has_more = False
    async with aclosing(read_rows(connection, statement, {**values, **bound})) as rows:
        async for participant, *keys in rows:
            if len(participants) == size:
                has_more = True
            elif fits(len(participant)):
                participants.append(participant)
                sort_keys.append(tuple(keys))
            else:
                has_more = True
                break
    if not participants:
        return RosterPage([], None)
    if query.backwards:
        return RosterPage(participants[::-1], sort_keys[0], sort_keys[-1] if has_more else None)
    return RosterPage(participants, sort_keys[-1] if has_more else None, None if query.empty is None else sort_keys[0])


@lru_cache(256)
def _compiled(query: _Query) -> tuple[str, dict[str, Any]]:
    """Cached: compiling takes as long as the database takes to answer, and the pages of a list share a statement."""
    return for_psycopg(_statement(query))


async def count(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> int:
    """How many participants meet the criteria: each of their rows is read."""
    number: int = (await connection.execute(_matching(roster, criteria, func.count()))).scalar_one()
    return number


async def may_estimate(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> bool:
    """Whether the planner's statistics are of what the roster shows, no more: all events, and there is no other source.

    Of an answer behind a mask the planner knows nothing: there it would guess, and always the same number.
    """
    if roster.event_ids is not None or (roster.mask is not None and criteria.answers):
        return False
    others = select(exists().where(checkpoint_table.c.source != roster.source))
    return not (await connection.execute(others)).scalar_one()


async def estimate(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> int:
    """How many participants the planner expects to meet the criteria, from its statistics: no row is read."""
    statement, values = for_psycopg(_matching(roster, criteria, literal_column("1")))
    [plan] = (await connection.exec_driver_sql(f"explain (format json) {statement}", values)).scalar_one()
    return int(plan["Plan"]["Plan Rows"])


def _matching(roster: Roster, criteria: Criteria, column: _Column) -> Select[Any]:
    rows = roster.rows
    return select(column).select_from(rows).where(conditions(roster, rows, criteria))


def page_of(
    roster: Roster, criteria: Criteria, empty: tuple[bool, ...] | None, limit: int, shown: Shown = EVERYTHING
) -> Select[Any]:
    """The statement of a page: each participant as JSON, and its sort keys.

    `empty`: which keys of the row before the page are empty; None: there is no such row.
    """
    return _statement(_Query(roster, criteria, empty, limit, shown))


def _statement(query: _Query) -> Select[Any]:
    """First the ids on the page, from the indexes alone; then the participants of these ids.

    The limit is there twice: with one of its own, the outer query writes the JSON of a row when that row is read.
    """
    roster, limit = query.roster, query.limit
    rows = roster.rows
    order = Order(rows, query.criteria.sort, backwards=query.backwards)
    union = union_all(*(select(part.subquery()) for part in _parts(query, rows, order))).subquery()
    picked = select(union).order_by(union.c.part, *order.by(union)).limit(limit).subquery()
    participant = written_participant(rows, roster.source, query.shown, roster.answers)
    return (
        select(as_json(participant), *(picked.c[key.name] for key in order.keys))
        .select_from(picked.join(rows, rows.c.participant_id == picked.c.id).join(participant, true()))
        .where(roster.sees(rows))
        .order_by(picked.c.part, *order.by(picked))
        .limit(limit)
    )


def _parts(query: _Query, rows: FromClause, order: Order) -> list[Select[Any]]:
    if query.scanned is not None:
        next_ = order.next(query.empty)
        in_range = and_(query.roster.sees(rows), next_.condition)
        scanned = select(rows).where(in_range).order_by(*next_.order).limit(query.scanned).subquery()
        return [_part(query, scanned, Order(scanned, query.criteria.sort).next(None), 0)]
    parts = [_part(query, rows, range_, number) for number, range_ in enumerate(order.ranges(query.empty))]
    if query.by_ids:
        has_id = rows.c.participant_id == func.any(bindparam(IDS, required=False, type_=ARRAY(Text)))
        parts = [part.where(has_id) for part in parts]
    return parts


def _part(query: _Query, rows: FromClause, range_: Range, number: int) -> Select[Any]:
    """The participants of a range that meet the criteria: their ids, their keys, and the range's number as `part`."""
    keys = Order(rows, query.criteria.sort).keys
    return (
        select(rows.c.participant_id.label("id"), *keys, literal_column(str(number)).label("part"))
        .where(conditions(query.roster, rows, query.criteria), range_.condition)
        .order_by(*range_.order)
        .limit(query.limit)
    )
