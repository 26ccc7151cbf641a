"""How a race grew: its registrations in all and by sub-event, beside those of its previous edition.

By day; by days before the start where the start is known, which is when two editions can be compared.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, groupby
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Date,
    FromClause,
    Text,
    column,
    func,
    literal,
    select,
    table,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster.days import Dates, dates_of
from projections.roster.roster import Roster

_MOST_POINTS = 20
_LONGEST_DAYS = 730  # that are shown; whoever registered before is in each number all the same
_MOST_SUB_EVENTS = 4  # that have a line; the others are in the number of all alone
_daily: FromClause = table(
    "registrations_daily",
    column("source", Text),
    column("event_id", Text),
    column("sub_event_id", Text),
    column("day", Date),
    column("registrations", BigInteger),
)
Days = Mapping[date, int]
"""Registrations by day."""


@dataclass(frozen=True, slots=True)
class GrowthLine:
    """How many had registered up to and including each point; None: it is not over yet. `name`: of the sub-event."""

    name: str
    numbers: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Growth:
    """`points`: days. `days_before`: how many days before the start each is; None: the start is not known.

    `previous`: all of the previous edition, by days before its own start.
    """

    points: Sequence[date]
    days_before: Sequence[int] | None
    total: GrowthLine
    sub_events: Sequence[GrowthLine]
    previous: GrowthLine | None


async def growth_of(
    connection: AsyncConnection, roster: Roster, event_id: str, dates: Dates, today: date
) -> Growth | None:
    """The growth of a race up to today; None if nobody whom the roster shows has registered."""
    if roster.event_ids is not None and event_id not in roster.event_ids:
        return None
    by_event = await _registered(connection, roster, [event_id, *filter(None, [dates.previous_event_id])])
    by_sub_event = by_event.get(event_id)
    if not by_sub_event:
        return None
    previous = await _shifted(connection, roster, dates, _sum(by_event.get(dates.previous_event_id or "", {})))
    total = _sum(by_sub_event)
    points = _points([*total, *previous], dates.starts_on, today)
    until = max(total) if dates.starts_on is None else max(*total, min(today, dates.starts_on))
    largest = sorted((id_ for id_ in by_sub_event if id_), key=lambda id_: -sum(by_sub_event[id_].values()))
    names = await _names(connection, roster, event_id, largest[:_MOST_SUB_EVENTS])
    lines = [_line(name, by_sub_event[id_], points, until) for id_, name in names.items()]
    return Growth(
        points,
        None if dates.starts_on is None else [(dates.starts_on - point).days for point in points],
        _line("", total, points, until),
        lines if len(by_sub_event) > 1 else [],
        _line("", previous, points, max(points)) if previous else None,
    )


async def _registered(
    connection: AsyncConnection, roster: Roster, event_ids: Sequence[str]
) -> dict[str, dict[str, Days]]:
    """Registrations by event, sub-event ("" where there is none) and day."""
    rows = _daily.c
    of_events = select(_daily).where(rows.source == roster.source, rows.event_id.in_(event_ids))
    of_events = of_events.order_by(rows.event_id, rows.sub_event_id)
    counted: dict[str, dict[str, Days]] = {}
    for event_id, sub_events in groupby(await connection.execute(of_events), key=lambda row: row.event_id):
        counted[event_id] = {
            sub_event_id: {row.day: row.registrations for row in days}
            for sub_event_id, days in groupby(sub_events, key=lambda row: row.sub_event_id or "")
        }
    return counted


async def _shifted(connection: AsyncConnection, roster: Roster, dates: Dates, registered: Days) -> Days:
    """The registrations of the previous edition, moved to the days as long before the start of this one."""
    if not registered or dates.starts_on is None or dates.previous_event_id is None:
        return {}
    id_ = dates.previous_event_id
    started_on = (await dates_of(connection, roster, [id_]))[id_].starts_on
    if started_on is None:
        return {}
    later = (dates.starts_on - started_on).days
    moved = {day.toordinal() + later: number for day, number in registered.items()}
    return {date.fromordinal(day): number for day, number in moved.items() if 0 < day <= date.max.toordinal()}


async def _names(
    connection: AsyncConnection, roster: Roster, event_id: str, sub_event_ids: Sequence[str]
) -> dict[str, str]:
    """A name of each sub-event, by id, as somebody has it; the id where nobody has one."""
    rows = roster.counted_rows
    asked = func.unnest(literal([*sub_event_ids], ARRAY(Text))).table_valued("id").render_derived(name="asked")
    somebody = (
        select(rows.c.sub_event_name)
        .where(
            roster.sees(rows),
            rows.c.event_id == event_id,
            rows.c.sub_event_id == asked.c.id,
            rows.c.sub_event_name.is_not(None),
        )
        .limit(1)
        .lateral("somebody")
    )
    named: Any = select(asked.c.id, somebody.c.sub_event_name).select_from(asked.join(somebody, true()))
    names = {row.id: row.sub_event_name for row in await connection.execute(named)}
    return {id_: names.get(id_, id_) for id_ in sub_event_ids}


def _sum(by_sub_event: Mapping[str, Days]) -> Counter[date]:
    return sum((Counter(days) for days in by_sub_event.values()), Counter[date]())


def _points(days: Sequence[date], starts_on: date | None, today: date) -> list[date]:
    """Some days, one as far from the next as all others, up to the last one."""
    last = max(days) if starts_on is None else max(*days, min(today, starts_on))
    ends = last.toordinal()
    begins = max(min(days).toordinal(), ends - _LONGEST_DAYS)
    step = -(-max(ends - begins, 1) // _MOST_POINTS)
    return [date.fromordinal(day) for day in range(ends - (ends - begins) // step * step, ends + 1, step)]


def _line(name: str, registered: Days, points: Sequence[date], until: date) -> GrowthLine:
    days = sorted(registered)
    so_far = [0, *accumulate(registered[day] for day in days)]
    # The first point after the last day that is over has all, too.
    last = next((point for point in points if point >= until), points[-1])
    return GrowthLine(name, [so_far[bisect_right(days, point)] if point <= last else None for point in points])
