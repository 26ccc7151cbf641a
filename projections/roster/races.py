"""The events that participants are in, with how many there are: in all, by status, sub-event, gender and day."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Date, Row, cast, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster.roster import Roster

_DETAILS = ("event_name", "sub_event_id", "sub_event_name", "status", "gender", "day")
# Each is counted by itself. The bits of `grouping()` tell which it was: 0 where a detail is one of its columns.
_SETS = {
    "all": (),
    "names": ("event_name",),
    "sub_events": ("sub_event_id", "sub_event_name"),
    "statuses": ("status",),
    "genders": ("gender",),
    "days": ("day",),
}
_BITS = {
    sum(1 << place for place, name in enumerate(reversed(_DETAILS)) if name not in names): of
    for of, names in _SETS.items()
}


async def races(connection: AsyncConnection, roster: Roster, after: str | None, limit: int) -> list[dict[str, Any]]:
    """Up to `limit` events in the order of their ids (as text), those after an id if one is given."""
    rows = roster.rows
    ids = (
        select(rows.c.event_id)
        .where(roster.sees(rows), rows.c.event_id.is_not(None))
        .distinct()
        .order_by(rows.c.event_id)
        .limit(limit)
    )
    if after is not None:
        ids = ids.where(rows.c.event_id > after)
    return await _counted(connection, roster, (await connection.execute(ids)).scalars().all())


async def race(connection: AsyncConnection, roster: Roster, event_id: str) -> dict[str, Any] | None:
    """One event; null if nobody who can be seen is in it."""
    found = await _counted(connection, roster, [event_id])
    return found[0] if found else None


async def _counted(connection: AsyncConnection, roster: Roster, event_ids: Sequence[str]) -> list[dict[str, Any]]:
    rows = roster.rows
    day = cast(func.timezone("UTC", func.coalesce(rows.c.registered_at, rows.c.received_at)), Date).label("day")
    of = select(*(rows.c[name] for name in ("event_id", "position", *_DETAILS[:-1])), day).where(
        roster.sees(rows), rows.c.event_id.in_(event_ids)
    )
    each = of.subquery()
    sets = [tuple_(each.c.event_id, *(each.c[name] for name in names)) for names in _SETS.values()]
    details = [each.c[name] for name in _DETAILS]
    found = select(
        each.c.event_id,
        func.grouping(*details).label("bits"),
        func.count().label("participants"),
        func.max(each.c.position).label("newest"),
        *details,
    ).group_by(func.grouping_sets(*sets))
    counted: dict[str, dict[str, list[Row[Any]]]] = {}
    for row in await connection.execute(found):
        counted.setdefault(row.event_id, {of: [] for of in _SETS})[_BITS[row.bits]].append(row)
    return [_race(event_id, counted[event_id]) for event_id in sorted(counted)]


def _race(event_id: str, counted: dict[str, list[Row[Any]]]) -> dict[str, Any]:
    [every] = counted["all"]
    return {
        "event_id": event_id,
        "event_name": _newest(counted["names"], "event_name"),
        "participants": every.participants,
        "statuses": _by(counted["statuses"], "status"),
        "sub_events": _sub_events(counted["sub_events"]),
        "genders": _by(counted["genders"], "gender"),
        "days": _by(counted["days"], "day"),
    }


def _by(rows: Iterable[Row[Any]], name: str) -> list[dict[str, Any]]:
    """Values with their counts in their order, the empty one last."""
    found = [{name: row._mapping[name], "participants": row.participants} for row in rows]
    return sorted(found, key=lambda one: (one[name] is None, one[name] or ""))


def _sub_events(rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """By id, or by name where there is no id; each under the name that it had last."""
    named: dict[tuple[bool, str], list[Row[Any]]] = {}
    for row in rows:
        has_id = row.sub_event_id is not None
        named.setdefault((not has_id, row.sub_event_id if has_id else row.sub_event_name or ""), []).append(row)
    return [
        {
            "sub_event_id": same[0].sub_event_id,
            "sub_event_name": _newest(same, "sub_event_name"),
            "participants": sum(row.participants for row in same),
        }
        for _, same in sorted(named.items())
    ]


def _newest(rows: Sequence[Row[Any]], name: str) -> str | None:
    named = [(row.newest, row._mapping[name]) for row in rows if row._mapping[name] is not None]
    return max(named)[1] if named else None
