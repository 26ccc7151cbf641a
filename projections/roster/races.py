"""Races, with their participants counted: in all, and by status, sub-event, gender and day."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster.days import Dates, dates_of, day_of
from projections.roster.roster import Roster

_ROWS = 100  # of counts that are read at a time
_COLUMNS = ("event_name", "sub_event_id", "sub_event_name", "status", "gender", "day")
# The columns of each grouping set; each set is counted separately.
_SETS = {
    "all": (),
    "names": ("event_name",),
    "sub_events": ("sub_event_id", "sub_event_name"),
    "statuses": ("status",),
    "genders": ("gender",),
    "days": ("day",),
}
# The set of a row, by the value of `grouping()`: a bit per column, 0 where the column is in the set.
_SET_OF_BITS = {
    sum(1 << bit for bit, column in enumerate(reversed(_COLUMNS)) if column not in columns): name
    for name, columns in _SETS.items()
}


async def races(
    connection: AsyncConnection, roster: Roster, after: str | None, limit: int | None
) -> AsyncGenerator[dict[str, Any]]:
    """Up to `limit` races, or all, ordered by id as text; with `after`, those after that id. One is held at a time."""
    rows = roster.counted_rows
    ids = (
        select(rows.c.event_id)
        .where(roster.sees(rows), rows.c.event_id.is_not(None))
        .distinct()
        .order_by(rows.c.event_id)
        .limit(limit)
    )
    if after is not None:
        ids = ids.where(rows.c.event_id > after)
    async with aclosing(_counted(connection, roster, (await connection.execute(ids)).scalars().all())) as counted:
        async for race in counted:
            yield race


async def race(connection: AsyncConnection, roster: Roster, event_id: str) -> dict[str, Any] | None:
    """One race; None if no participant of this roster is in it."""
    async with aclosing(_counted(connection, roster, [event_id])) as counted:
        return await anext(counted, None)


async def newest_name(connection: AsyncConnection, roster: Roster, event_id: str) -> str | None:
    """The newest name of a race; None if nobody says it."""
    rows = roster.counted_rows
    named = select(rows.c.event_name).where(
        roster.sees(rows), rows.c.event_id == event_id, rows.c.event_name.is_not(None)
    )
    name: str | None = (await connection.execute(named.order_by(rows.c.position.desc()).limit(1))).scalar()
    return name


async def _counted(
    connection: AsyncConnection, roster: Roster, event_ids: Sequence[str]
) -> AsyncGenerator[dict[str, Any]]:
    dates = await dates_of(connection, roster, event_ids)
    rows = roster.counted_rows
    with_calendar, day = day_of(rows)
    participants = (
        select(*(rows.c[name] for name in ("event_id", "position", *_COLUMNS[:-1])), day.label("day"))
        .select_from(with_calendar)
        .where(roster.sees(rows), rows.c.event_id.in_(event_ids))
        .subquery()
    )
    sets = [tuple_(participants.c.event_id, *(participants.c[name] for name in names)) for names in _SETS.values()]
    columns = [participants.c[name] for name in _COLUMNS]
    counts = select(
        participants.c.event_id,
        func.grouping(*columns).label("bits"),
        func.count().label("participants"),
        func.max(participants.c.position).label("newest"),
        *columns,
    )
    by_race = counts.group_by(func.grouping_sets(*sets)).order_by(participants.c.event_id)
    counted: dict[str, list[Row[Any]]] = {}
    event_id: str | None = None
    result = await connection.stream(by_race.execution_options(yield_per=_ROWS))
    try:
        async for row in result:
            if row.event_id != event_id:
                if event_id is not None:
                    yield _race(event_id, counted, dates[event_id])
                event_id, counted = row.event_id, {name: [] for name in _SETS}
            counted[_SET_OF_BITS[row.bits]].append(row)
    finally:
        await result.close()
    if event_id is not None:
        yield _race(event_id, counted, dates[event_id])


def _race(event_id: str, counted: dict[str, list[Row[Any]]], dates: Dates) -> dict[str, Any]:
    [total] = counted["all"]
    return {
        "event_id": event_id,
        "event_name": _newest(counted["names"], "event_name"),
        **asdict(dates),
        "participants": total.participants,
        "statuses": _by(counted["statuses"], "status"),
        "sub_events": _sub_events(counted["sub_events"]),
        "genders": _by(counted["genders"], "gender"),
        "days": _by(counted["days"], "day"),
    }


def _by(rows: Iterable[Row[Any]], name: str) -> list[dict[str, Any]]:
    """The count per value of a column, ordered by value, None last."""
    counts = [{name: row._mapping[name], "participants": row.participants} for row in rows]
    return sorted(counts, key=lambda count: (count[name] is None, count[name] or ""))


def _sub_events(rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """The count per sub-event id, or per name where the id is None; each with its newest name."""
    groups: dict[tuple[bool, str], list[Row[Any]]] = {}
    for row in rows:
        has_id = row.sub_event_id is not None
        groups.setdefault((not has_id, row.sub_event_id if has_id else row.sub_event_name or ""), []).append(row)
    return [
        {
            "sub_event_id": group[0].sub_event_id,
            "sub_event_name": _newest(group, "sub_event_name"),
            "participants": sum(row.participants for row in group),
        }
        for _, group in sorted(groups.items())
    ]


def _newest(rows: Sequence[Row[Any]], name: str) -> str | None:
    """The column's value at the highest position; None if every row has None."""
    values = [(row.newest, row._mapping[name]) for row in rows if row._mapping[name] is not None]
    return max(values)[1] if values else None
