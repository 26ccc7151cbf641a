"""The changes of a roster since a place, by position: participants to insert or replace, participants to remove.

Nearly every change comes from an event and has its position. Changes beside the log (an erasure, a refold, a rebuild)
are rows of `roster_change`, each with a number and the position that the roster had reached at that time.
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
    """How far a follower has come: the position, and the number of the last change beside the log.

    `base`: the position at which the follower last had every change. A participant sent since then was visible at the
    base or later, but not always now: removals are searched from the base on.
    """

    position: int
    change: int
    base: int


@dataclass(frozen=True, slots=True)
class Change:
    """A participant's newest `row`; None: the participant is removed, or not visible on this roster any more.

    `participant_id` None: a reset. The follower drops its copy; the whole roster follows.
    """

    position: int
    participant_id: str | None
    row: RowMapping | None


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes by position, the place that they lead to, and whether no more follow for now."""

    changes: Sequence[Change]
    place: Place
    is_all: bool


@dataclass(frozen=True, slots=True)
class _Step:
    """A change, its order (`at`), and how far it brings a follower. `change` None: not visible on this roster."""

    change: Change | None
    at: tuple[int, int]
    position: int = 0
    number: int = 0


async def place_at(connection: AsyncConnection, source: str, revision: Revision, position: int) -> Place:
    """The place of a follower that knows only a position. Changes beside the log at that position are sent again."""
    before = select(func.max(_OF_CHANGE.number)).where(_OF_CHANGE.source == source, _OF_CHANGE.position < position)
    return Place(position, (await connection.execute(before)).scalar() or 0, position or revision.position)


async def changes(connection: AsyncConnection, roster: Roster, revision: Revision, after: Place, limit: int) -> Changes:
    """Up to `limit` changes after a place, and a reset before them if there was one; the roster is at `revision`.

    A copy to which all of them are applied equals the roster, whatever has happened between two calls.
    """
    reset = await _last_reset(connection, roster, after)
    start = after if reset is None else Place(0, reset["number"], revision.position)
    beside = await _beside(connection, roster, start, limit + 1)
    upserted = await _upserted(connection, roster, start, limit + 1)
    removed = await _removed(connection, roster, revision, start, limit + 1)
    rows = await _current_rows(connection, roster, {change["subject"] for change in beside})
    steps = [
        *(_step(row, row) for row in upserted),
        *(_step(row, None) for row in removed),
        *(_beside_step(roster, change, rows) for change in beside),
    ]
    steps.sort(key=lambda step: step.at)
    taken = steps[:limit]
    visible = [step.change for step in taken if step.change is not None]
    if reset is not None:
        visible.insert(0, Change(reset["position"], None, None))
    if len(steps) <= limit:
        position = max(revision.position, start.position)
        return Changes(visible, Place(position, revision.change, position), is_all=True)
    position = max([start.position, *(step.position for step in taken)])
    change = max([start.change, *(step.number for step in taken)])
    return Changes(visible, Place(position, change, start.base), is_all=False)


async def _last_reset(connection: AsyncConnection, roster: Roster, after: Place) -> RowMapping | None:
    resets = _beside_after(roster, after).where(_OF_CHANGE.subject.is_(None))
    newest = resets.order_by(_OF_CHANGE.number.desc()).limit(1)
    reset: RowMapping | None = (await connection.execute(newest)).mappings().first()
    return reset


async def _beside(connection: AsyncConnection, roster: Roster, start: Place, limit: int) -> _Rows:
    of_subjects = _beside_after(roster, start).where(_OF_CHANGE.subject.is_not(None))
    rows: _Rows = (await connection.execute(of_subjects.order_by(_OF_CHANGE.number).limit(limit))).mappings().all()
    return rows


def _beside_after(roster: Roster, place: Place) -> Select[Any]:
    columns = _OF_CHANGE.number, _OF_CHANGE.position, _OF_CHANGE.subject, _OF_CHANGE.event_ids
    return select(*columns).where(_OF_CHANGE.source == roster.source, _OF_CHANGE.number > place.change)


def _step(newest: RowMapping, row: RowMapping | None) -> _Step:
    position = newest["position"]
    return _Step(Change(position, newest["participant_id"], row), (position, 0), position=position)


def _beside_step(roster: Roster, beside: RowMapping, rows: Mapping[str, RowMapping]) -> _Step:
    row = rows.get(beside["subject"])
    was_seen = roster.event_ids is None or bool(set(roster.event_ids) & set(beside["event_ids"]))
    change = Change(beside["position"], beside["subject"], row) if row is not None or was_seen else None
    return _Step(change, (beside["position"], beside["number"]), number=beside["number"])


async def _current_rows(connection: AsyncConnection, roster: Roster, ids: set[str]) -> dict[str, RowMapping]:
    if not ids:
        return {}
    rows = roster.rows
    statement = select(*shown(rows)).where(roster.sees(rows), rows.c.participant_id.in_(sorted(ids)))
    return {row["participant_id"]: row for row in (await connection.execute(statement)).mappings()}


async def _upserted(connection: AsyncConnection, roster: Roster, start: Place, limit: int) -> _Rows:
    """The participants on the roster that have a newer state."""
    rows = roster.rows
    statement = (
        select(*shown(rows))
        .where(roster.sees(rows), rows.c.position > start.position)
        .order_by(rows.c.position)
        .limit(limit)
    )
    return (await connection.execute(statement)).mappings().all()


async def _removed(connection: AsyncConnection, roster: Roster, revision: Revision, start: Place, limit: int) -> _Rows:
    """The participants with a state visible on the roster since the base, and a newer state that is not."""
    if roster.event_ids is None or start.base >= revision.position:  # no state has ended after the base
        return []
    now, before = participants.c, participant_history.c

    def is_seen(event_id: ColumnElement[str]) -> ColumnElement[bool]:
        return func.coalesce(event_id.in_(roster.event_ids or ()), False)

    statement = (
        select(now.participant_id, now.position)
        .join(participant_history, (before.source == now.source) & (before.participant_id == now.participant_id))
        .where(now.source == roster.source, now.position > start.position, ~is_seen(now.event_id))
        .where(before.until_position > start.base, is_seen(before.event_id))
        .distinct()
        .order_by(now.position)
        .limit(limit)
    )
    return (await connection.execute(statement)).mappings().all()
