"""The changes of a roster since a place, by position: participants to insert or replace, participants to remove.

Nearly every change comes from an event and has its position. Changes beside the log (an erasure, a refold, a rebuild)
are rows of `roster_change`, each with a number and the position that the roster had reached at that time.
"""

from collections.abc import AsyncGenerator, Container, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    RowMapping,
    Select,
    Text,
    bindparam,
    column,
    func,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.participants.table import participant_history, participants, roster_change
from projections.roster.participant_json import EVERYTHING, as_json, written_participant
from projections.roster.reading import Fits, for_psycopg, read_rows
from projections.roster.revision import Lineage, Revision
from projections.roster.roster import Roster
from projections.roster.shown import Shown

_OF_CHANGE = roster_change.c
_Rows = Sequence[RowMapping]


@dataclass(frozen=True, slots=True)
class Place:
    """How far a follower has come: the position, and the number of the last change beside the log.

    `seen`: the lineage that the follower has seen; None: it names no lineage, and none is compared.
    `base`: the position at which the follower last had every change. A participant sent since then was visible at the
    base or later, but not always now: removals are searched from the base on.
    """

    position: int
    change: int
    base: int
    seen: Lineage | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A participant's newest state as JSON; None: it is removed, or not visible on this roster any more.

    `participant_id` None: a reset. The follower drops its copy; the whole roster follows.
    """

    position: int
    participant_id: str | None
    participant: bytes | None


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes by position, the place that they lead to, and whether no more follow for now."""

    changes: Sequence[Change]
    place: Place
    is_all: bool


@dataclass(frozen=True, slots=True)
class _Step:
    """A change of a participant at a position. `number`: of the change beside the log; 0: an event brought it.

    `is_here`: the participant is on the roster now. `was_seen`: it was visible on the roster before.
    """

    position: int
    number: int
    participant_id: str
    is_here: bool
    was_seen: bool = True

    @property
    def at(self) -> tuple[int, int]:
        return self.position, self.number


async def place_at(connection: AsyncConnection, source: str, revision: Revision, position: int) -> Place:
    """The place of a follower that knows only a position. Changes beside the log at that position are sent again."""
    before = select(func.max(_OF_CHANGE.number)).where(_OF_CHANGE.source == source, _OF_CHANGE.position < position)
    return Place(position, (await connection.execute(before)).scalar() or 0, position or revision.position)


async def changes(
    connection: AsyncConnection,
    roster: Roster,
    revision: Revision,
    after: Place,
    limit: int,
    fits: Fits,
    *,
    is_lost: bool = False,
    shown: Shown = EVERYTHING,
) -> Changes:
    """Up to `limit` changes after a place, and a reset before them if there was one; the roster is at `revision`.

    They end before a participant that does not fit; no other statement may follow on the connection then.
    `is_lost`: the place is of another lineage, so there is a reset.

    A copy to which all of them are applied equals the roster, whatever has happened between two calls.
    """
    lineage = revision.lineage
    reset = None if is_lost else await _last_reset(connection, roster, after)
    start = after if reset is None else Place(0, reset["number"], revision.position)
    if is_lost:
        start = Place(0, revision.change, revision.position)
    steps = await _steps(connection, roster, revision, start, limit + 1)
    taken, visible = await _written(connection, roster, steps[:limit], fits, shown)
    if is_lost or reset is not None:
        visible.insert(0, Change(revision.position if reset is None else reset["position"], None, None))
    if len(taken) == len(steps):
        position = max(revision.position, start.position)
        return Changes(visible, Place(position, revision.change, position, lineage), is_all=True)
    position = max([start.position, *(step.position for step in taken if not step.number)])
    change = max([start.change, *(step.number for step in taken)])
    return Changes(visible, Place(position, change, start.base, lineage), is_all=False)


async def _steps(
    connection: AsyncConnection, roster: Roster, revision: Revision, start: Place, limit: int
) -> list[_Step]:
    """The changes after a place in their order, up to `limit` of each kind; without the participants' columns."""
    beside = await _beside(connection, roster, start, limit)
    upserted = await _upserted(connection, roster, start, limit)
    removed = await _removed(connection, roster, revision, start, limit)
    here = await _here(connection, roster, {change["subject"] for change in beside})
    steps = [
        *(_Step(row["position"], 0, row["participant_id"], is_here=True) for row in upserted),
        *(_Step(row["position"], 0, row["participant_id"], is_here=False) for row in removed),
        *(_beside_step(roster, change, here) for change in beside),
    ]
    return sorted(steps, key=lambda step: step.at)


async def _written(
    connection: AsyncConnection, roster: Roster, steps: Sequence[_Step], fits: Fits, shown: Shown
) -> tuple[Sequence[_Step], list[Change]]:
    """The steps that fit, and what a follower is told of them, with the participants as JSON."""
    changes: list[Change] = []
    here = [step.participant_id for step in steps if step.is_here]
    async with aclosing(_participants(connection, roster, here, shown)) as participants:
        for number, step in enumerate(steps):
            participant = await anext(participants) if step.is_here else None
            if participant is not None and not fits(len(participant)):
                return steps[:number], changes
            if step.is_here or step.was_seen:
                changes.append(Change(step.position, step.participant_id, participant))
        await anext(participants, None)  # left before its end, the query would be cancelled
    return steps, changes


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


def _beside_step(roster: Roster, beside: RowMapping, here: Container[str]) -> _Step:
    was_seen = roster.event_ids is None or bool(set(roster.event_ids) & set(beside["event_ids"]))
    subject = beside["subject"]
    return _Step(beside["position"], beside["number"], subject, subject in here, was_seen)


async def _here(connection: AsyncConnection, roster: Roster, ids: set[str]) -> set[str]:
    """Which of these participants are on the roster."""
    if not ids:
        return set()
    rows = roster.rows
    statement = select(rows.c.participant_id).where(roster.sees(rows), rows.c.participant_id.in_(sorted(ids)))
    return set((await connection.execute(statement)).scalars())


async def _participants(
    connection: AsyncConnection, roster: Roster, ids: Sequence[str], shown: Shown
) -> AsyncGenerator[bytes]:
    """The participants of these ids as JSON, in the order of the ids; each is on the roster, and may come twice."""
    if not ids:
        return
    statement, values = _in_order_of_ids(roster, shown)
    async with aclosing(read_rows(connection, statement, {**values, "ids": ids, "number": len(ids)})) as read:
        async for row in read:
            yield row[0]


@lru_cache(256)
def _in_order_of_ids(roster: Roster, shown: Shown) -> tuple[str, dict[str, Any]]:
    rows = roster.rows
    participant = written_participant(rows, roster.source, shown, roster.answers)
    unnested = func.unnest(bindparam("ids", required=False, type_=ARRAY(Text)))
    wanted = unnested.table_valued(column("id", Text), with_ordinality="number").render_derived(name="wanted")
    return for_psycopg(
        select(as_json(participant))
        .select_from(wanted.join(rows, rows.c.participant_id == wanted.c.id).join(participant, true()))
        .where(roster.sees(rows))
        .order_by(wanted.c.number)
        .limit(bindparam("number", required=False, type_=BigInteger))  # so each JSON is written when its row is read
    )


async def _upserted(connection: AsyncConnection, roster: Roster, start: Place, limit: int) -> _Rows:
    """The participants on the roster that have a newer state."""
    rows = roster.rows
    statement = (
        select(rows.c.participant_id, rows.c.position)
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
