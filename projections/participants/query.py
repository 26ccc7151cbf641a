"""Reads the roster: one participant, or a page of them by id. What may be seen comes with the scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from projections.checkpoint import checkpoint
from projections.participants import rows
from projections.participants.table import COLUMNS, participants


@dataclass(frozen=True, slots=True)
class View:
    """Whose roster is asked for: a source, and of that all events (null) or some."""

    source: str
    event_ids: tuple[str, ...] | None = None

    @property
    def condition(self) -> ColumnElement[bool]:
        mine: ColumnElement[bool] = participants.c.source == self.source
        return mine if self.event_ids is None else mine & participants.c.event_id.in_(self.event_ids)


async def position(connection: AsyncConnection, source: str) -> int:
    """The log position that the roster reflects."""
    mine = (checkpoint.c.source == source) & (checkpoint.c.projection == rows.NAME)
    return (await connection.execute(select(checkpoint.c.position).where(mine))).scalar() or 0


async def participant(connection: AsyncConnection, view: View, participant_id: str) -> RowMapping | None:
    found = select(*COLUMNS).where(view.condition, participants.c.participant_id == participant_id)
    return (await connection.execute(found)).mappings().first()


async def page(
    connection: AsyncConnection, view: View, event_id: str | None, after: str | None, limit: int
) -> Sequence[RowMapping]:
    """Up to `limit` participants in the order of their ids (as text), those after an id if one is given."""
    found = select(*COLUMNS).where(view.condition)
    if event_id is not None:
        found = found.where(participants.c.event_id == event_id)
    if after is not None:
        found = found.where(participants.c.participant_id > after)
    result = await connection.execute(found.order_by(participants.c.participant_id).limit(limit))
    return result.mappings().all()


def as_json(row: RowMapping) -> dict[str, Any]:
    """A participant as every answer shows them: the contract's columns in its order."""
    return dict(row)
