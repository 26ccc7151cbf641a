"""Reads the roster, as of now or of a position: one participant, or a page of them by id. The scope is the asker's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, RowMapping, case, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.builds import projection
from projections.checkpoint import checkpoint
from projections.participants.table import COLUMNS, participant_history, participants

NAME = "participants"
_NAMES = [column.name for column in COLUMNS]
_SAME_IN_ALL_STATES = ("source", "participant_id", "first_position")


@dataclass(frozen=True, slots=True)
class View:
    """Whose roster is asked for: a source, of that all events (null) or some, as of now (null) or of a position."""

    source: str
    event_ids: tuple[str, ...] | None = None
    as_of: int | None = None

    @property
    def rows(self) -> FromClause:
        """What may be seen, with the columns of a participant."""
        of = participants if self.as_of is None else _roster_at(self.source, self.as_of)
        mine = select(*(of.c[name] for name in _NAMES)).where(of.c.source == self.source)
        return (mine if self.event_ids is None else mine.where(of.c.event_id.in_(self.event_ids))).subquery()


async def position(connection: AsyncConnection, source: str) -> int:
    """The log position that the roster reflects."""
    live = select(projection.c.live).where(projection.c.projection == NAME).scalar_subquery()
    mine = (checkpoint.c.source == source) & (checkpoint.c.projection == NAME) & (checkpoint.c.build == live)
    return (await connection.execute(select(checkpoint.c.position).where(mine))).scalar() or 0


async def position_at(connection: AsyncConnection, source: str, moment: datetime) -> int:
    """The last position that was received at a time or before; 0 if there is none."""
    found: int = (await connection.execute(select(func.position_at(source, moment)))).scalar_one()
    return found


async def participant(connection: AsyncConnection, view: View, participant_id: str) -> RowMapping | None:
    rows = view.rows
    found = select(rows).where(rows.c.participant_id == participant_id)
    return (await connection.execute(found)).mappings().first()


async def page(
    connection: AsyncConnection, view: View, event_id: str | None, after: str | None, limit: int
) -> Sequence[RowMapping]:
    """Up to `limit` participants in the order of their ids (as text), those after an id if one is given."""
    rows = view.rows
    found = select(rows)
    if event_id is not None:
        found = found.where(rows.c.event_id == event_id)
    if after is not None:
        found = found.where(rows.c.participant_id > after)
    result = await connection.execute(found.order_by(rows.c.participant_id).limit(limit))
    return result.mappings().all()


def as_json(row: RowMapping) -> dict[str, Any]:
    """A participant as every answer shows them: the contract's columns in its order."""
    return dict(row)


def _roster_at(source: str, position: int) -> FromClause:
    """The roster as it was at a position: of each participant the state that held then, by one look into the history.

    Whoever is on it has a newest state too, so its cost goes with the roster's size, however long the log is. Source
    and id are the newest state's, so that what is asked of them finds the index, and a page ends the search.
    """
    newest = participants.alias()
    held = (
        select(participant_history)
        .where(
            newest.c.position > position,
            participant_history.c.source == newest.c.source,
            participant_history.c.participant_id == newest.c.participant_id,
            participant_history.c.position <= position,
        )
        .order_by(participant_history.c.position.desc())
        .limit(1)
        .lateral()
    )

    def column(name: str) -> ColumnElement[Any]:
        if name in _SAME_IN_ALL_STATES:
            return newest.c[name]
        return case((newest.c.position <= position, newest.c[name]), else_=held.c[name]).label(name)

    return (
        select(*map(column, ("source", *_NAMES)))
        .select_from(newest.join(held, true(), isouter=True))
        .where(newest.c.source == source, newest.c.first_position <= position)
        .subquery()
    )
