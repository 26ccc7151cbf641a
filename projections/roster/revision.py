"""What decides what is on a source's roster, and which position a question `as_of` a position or a time is about."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.folding.builds import projection_table
from projections.folding.checkpoint import checkpoint_table
from projections.participants.table import roster_change

PROJECTION = "participants"


@dataclass(frozen=True, slots=True)
class Revision:
    """The live build, the log position that it reflects, and the number of the last change that no event brought.

    Two answers to one question at the same revision are the same.
    """

    build: int
    position: int
    change: int


class BeyondRoster(Exception):
    """`as_of` names a position that the roster has not reached."""

    def __init__(self, position: int) -> None:
        super().__init__(f"as_of is beyond the roster, which is at position {position}")


def revision_of(source: ColumnElement[str]) -> tuple[ScalarSelect[Any], ...]:
    """The columns of a `Revision`, of the source in that column."""
    pointer, of = projection_table.c, checkpoint_table.c
    live = select(func.coalesce(func.max(pointer.live), 0)).where(pointer.projection == PROJECTION)
    position = select(func.coalesce(func.max(of.position), 0)).where(
        of.source == source, of.projection == PROJECTION, of.build == live.scalar_subquery()
    )
    change = select(func.coalesce(func.max(roster_change.c.number), 0)).where(roster_change.c.source == source)
    return tuple(one.correlate(source.table).scalar_subquery() for one in (live, position, change))


async def resolve_as_of(
    connection: AsyncConnection, source: str, given: int | datetime | None, reached: int
) -> int | None:
    """The position that `as_of` means, where the roster has reached `reached`; None: as of now.

    A time is the last position received at it or before. Raises `BeyondRoster`.
    """
    if isinstance(given, datetime):
        position: int = (await connection.execute(select(func.position_at(source, given)))).scalar_one()
        return min(position, reached)
    if given is not None and given > reached:
        raise BeyondRoster(reached)
    return given
