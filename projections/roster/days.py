"""Days in the zone of a race, by the calendar of the live roster: of its rows, and in the parameters of a question.

In a parameter a date in place of a time is the first moment of that day: in the zone of the race that the question is
about, if it is about one, else in the zone of all races without one of their own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeGuard, TypeVar

from sqlalchemy import ColumnElement, Date, FromClause, and_, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.folding.table import calendar_table, projection_table
from projections.roster.criteria import Strict
from projections.roster.revision import PROJECTION
from projections.roster.roster import Roster

# Neither PostgreSQL's driver nor an answer knows a time beyond the years of Python.
_BEGINS = text("""
select day, least(greatest(day_begins(day, c.changes, c.offsets), '0001-01-01 00:00Z'), '9999-12-31 23:59Z') as begins
from unnest(cast(:days as date[])) as asked (day)
cross join (
  select c.changes, c.offsets
  from event_calendar c
  join projection r on r.projection = c.projection and r.live = c.build
  where c.projection = :projection and (c.event_id = :event_id or c.event_id is null)
  order by c.event_id nulls last
  limit 1
) c
""")

_P = TypeVar("_P", bound=Strict)


@dataclass(frozen=True, slots=True)
class Dates:
    """What the calendar says of a race."""

    time_zone: str
    starts_on: date | None
    previous_event_id: str | None


def day_of(rows: FromClause) -> tuple[FromClause, ColumnElement[date]]:
    """Rows of a roster joined with the calendar, and the day on which each registered, in the zone of its race."""
    own = calendar_table.alias()

    def rule(name: str) -> ColumnElement[Any]:
        others = select(calendar_table.c[name]).where(_is_live(calendar_table), calendar_table.c.event_id.is_(None))
        return func.coalesce(own.c[name], others.scalar_subquery())

    registered = func.coalesce(rows.c.registered_at, rows.c.received_at)
    joined = rows.outerjoin(own, and_(_is_live(own), own.c.event_id == rows.c.event_id))
    return joined, func.local_day(registered, rule("changes"), rule("offsets"), type_=Date())


async def dates_of(connection: AsyncConnection, roster: Roster, event_ids: Sequence[str]) -> dict[str, Dates]:
    """The dates of races, by id. A previous edition that is not in the roster's events is not named."""
    calendar = calendar_table.c
    columns = select(calendar.event_id, calendar.time_zone, calendar.starts_on, calendar.previous_event_id)
    query = columns.where(_is_live(calendar_table), calendar.event_id.in_(event_ids) | calendar.event_id.is_(None))
    known = {row[0]: Dates(row[1], row[2], _seen(roster, row[3])) for row in await connection.execute(query)}
    others = known.get(None, Dates("UTC", None, None))
    return {event_id: known.get(event_id, others) for event_id in event_ids}


def one_race(roster: Roster, parameters: Strict) -> str | None:
    """The id of the race that a question is about; None if it is about several."""
    named = getattr(parameters, "event_id", None) or getattr(parameters, "event_id__in", None) or roster.event_ids
    if isinstance(named, str):
        return named
    return named[0] if named is not None and len(named) == 1 else None


async def in_zone(connection: AsyncConnection, parameters: _P, event_id: str | None) -> _P:
    """The parameters with a moment in place of each day, in the zone of this race; None: in that of all others."""
    days = {value.date() for value in _values(parameters) if _is_day(value)}
    if not days:
        return parameters
    binds = {"days": sorted(days), "projection": PROJECTION, "event_id": event_id}
    begins: dict[date, datetime] = {row.day: row.begins for row in await connection.execute(_BEGINS, binds)}
    changed = {name: _with_moments(getattr(parameters, name), begins) for name in parameters.model_fields_set}
    return parameters.model_copy(update=changed)


def _is_live(table: FromClause) -> ColumnElement[bool]:
    live = select(projection_table.c.live).where(projection_table.c.projection == PROJECTION)
    return and_(table.c.projection == literal(PROJECTION), table.c.build == live.scalar_subquery())


def _seen(roster: Roster, event_id: str | None) -> str | None:
    return event_id if roster.event_ids is None or event_id in roster.event_ids else None


def _values(parameters: Strict) -> Iterator[object]:
    for name in parameters.model_fields_set:
        value = getattr(parameters, name)
        yield from value if isinstance(value, list) else [value]


def _is_day(value: object) -> TypeGuard[datetime]:
    """Whether `criteria.moment` made it of a date, for which it knows no zone."""
    return isinstance(value, datetime) and value.tzinfo is None


def _with_moments(value: Any, begins: Mapping[date, datetime]) -> Any:  # noqa: ANN401 - of any parameter
    if isinstance(value, list):
        return [_with_moments(each, begins) for each in value]
    # Before the first build there is no calendar, and nothing to find.
    return begins.get(value.date(), value.replace(tzinfo=UTC)) if _is_day(value) else value
