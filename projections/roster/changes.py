"""What changed on the roster since a place in the log, by position: who is to be put in its place, who is gone.

Nearly every change is an event's, at its position. Those that no event brought (an erasure, somebody folded again,
a rebuild) are numbered beside the log in `roster_change`, each with the position at which the roster was then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.participants.table import participant_history, participants, roster_change
from projections.roster.revision import Revision
from projections.roster.roster import Roster, shown

_OF_CHANGE = roster_change.c
_Rows = Sequence[RowMapping]


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody has followed: the position, and the number of the last change beside the log.

    `base`: the position up to which they had followed when they last had everything. Whatever they have seen since was
    so at the base or later; it may have come and gone again by now.
    """

    position: int
    change: int
    base: int


@dataclass(frozen=True, slots=True)
class Change:
    """A participant as they are now (`row`), or null: they are gone, or cannot be seen any more.

    `participant_id` null: everything is to be forgotten, since what follows is the whole roster.
    """

    position: int
    participant_id: str | None
    row: RowMapping | None


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes in the order of their positions, the place they lead to, and whether that is the end for now."""

    found: Sequence[Change]
    place: Place
    is_all: bool


@dataclass(frozen=True, slots=True)
class _Step:
    """Something that changed, and the place that is reached with it. No change: it is none for this view."""

    change: Change | None
    at: tuple[int, int]
    position: int = 0
    number: int = 0


async def place_at(connection: AsyncConnection, source: str, revision: Revision, position: int) -> Place:
    """The place of somebody who knows a position and no more. What changed beside the log just there comes again."""
    before = select(func.max(_OF_CHANGE.number)).where(_OF_CHANGE.source == source, _OF_CHANGE.position < position)
    return Place(position, (await connection.execute(before)).scalar() or 0, position or revision.position)


async def changes(connection: AsyncConnection, roster: Roster, revision: Revision, after: Place, limit: int) -> Changes:
    """Some `limit` changes after a place; the roster is at this revision.

    Applying them leads to the roster as it is, whatever has happened between two calls.
    """
    reset = await _last_reset(connection, roster, after)
    start = after if reset is None else Place(0, reset["number"], revision.position)
    beside = await _beside(connection, roster, start, limit + 1)
    moved = await _moved(connection, roster, start, limit + 1)
    gone = await _moved_away(connection, roster, revision, start, limit + 1)
    known = await _as_they_are(connection, roster, {one["subject"] for one in beside})
    steps = [
        *(_step(one, one) for one in moved),
        *(_step(one, None) for one in gone),
        *(_beside_step(roster, one, known) for one in beside),
    ]
    steps.sort(key=lambda step: step.at)
    taken = steps[:limit]
    found = [step.change for step in taken if step.change is not None]
    if reset is not None:
        found.insert(0, Change(reset["position"], None, None))
    if len(steps) <= limit:
        position = max(revision.position, start.position)
        return Changes(found, Place(position, revision.change, position), is_all=True)
    position = max([start.position, *(step.position for step in taken)])
    change = max([start.change, *(step.number for step in taken)])
    return Changes(found, Place(position, change, start.base), is_all=False)


async def _last_reset(connection: AsyncConnection, roster: Roster, after: Place) -> RowMapping | None:
    resets = _beside_after(roster, after).where(_OF_CHANGE.subject.is_(None))
    found = resets.order_by(_OF_CHANGE.number.desc()).limit(1)
    last: RowMapping | None = (await connection.execute(found)).mappings().first()
    return last


async def _beside(connection: AsyncConnection, roster: Roster, start: Place, limit: int) -> _Rows:
    found = _beside_after(roster, start).where(_OF_CHANGE.subject.is_not(None)).order_by(_OF_CHANGE.number).limit(limit)
    rows: _Rows = (await connection.execute(found)).mappings().all()
    return rows


def _beside_after(roster: Roster, place: Place) -> Select[Any]:
    columns = _OF_CHANGE.number, _OF_CHANGE.position, _OF_CHANGE.subject, _OF_CHANGE.event_ids
    return select(*columns).where(_OF_CHANGE.source == roster.source, _OF_CHANGE.number > place.change)


def _step(one: RowMapping, row: RowMapping | None) -> _Step:
    position = one["position"]
    return _Step(Change(position, one["participant_id"], row), (position, 0), position=position)


def _beside_step(roster: Roster, one: RowMapping, known: Mapping[str, RowMapping]) -> _Step:
    row = known.get(one["subject"])
    was_seen = roster.event_ids is None or bool(set(roster.event_ids) & set(one["event_ids"]))
    change = Change(one["position"], one["subject"], row) if row is not None or was_seen else None
    return _Step(change, (one["position"], one["number"]), number=one["number"])


async def _as_they_are(connection: AsyncConnection, roster: Roster, ids: set[str]) -> dict[str, RowMapping]:
    if not ids:
        return {}
    rows = roster.rows
    found = await connection.execute(
        select(*shown(rows)).where(roster.sees(rows), rows.c.participant_id.in_(sorted(ids)))
    )
    return {row["participant_id"]: row for row in found.mappings()}


async def _moved(connection: AsyncConnection, roster: Roster, start: Place, limit: int) -> _Rows:
    """Who can be seen and has a newer state."""
    rows = roster.rows
    found = (
        select(*shown(rows))
        .where(roster.sees(rows), rows.c.position > start.position)
        .order_by(rows.c.position)
        .limit(limit)
    )
    return (await connection.execute(found)).mappings().all()


async def _moved_away(
    connection: AsyncConnection, roster: Roster, revision: Revision, start: Place, limit: int
) -> _Rows:
    """Who could be seen at some time since the base, and has a newer state in which they cannot."""
    if roster.event_ids is None or start.base >= revision.position:  # no state has ended later than that
        return []
    now, before = participants.c, participant_history.c

    def is_seen(event_id: ColumnElement[str]) -> ColumnElement[bool]:
        return func.coalesce(event_id.in_(roster.event_ids or ()), False)

    found = (
        select(now.participant_id, now.position)
        .join(participant_history, (before.source == now.source) & (before.participant_id == now.participant_id))
        .where(now.source == roster.source, now.position > start.position, ~is_seen(now.event_id))
        .where(before.until_position > start.base, is_seen(before.event_id))
        .distinct()
        .order_by(now.position)
        .limit(limit)
    )
    return (await connection.execute(found)).mappings().all()
