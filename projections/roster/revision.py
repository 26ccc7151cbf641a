"""The revision of a source's roster, and the position that an `as_of` means."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.folding.table import checkpoint_table, projection_table
from projections.participants.table import roster_change

PROJECTION = "participants"
_MARK = "select lineage_at(%(source)s, %(position)s, %(change)s)"


@dataclass(frozen=True, slots=True)
class Revision:
    """The live build, the log position that it reflects, and the number of the last change beside the log.

    A question has the same answer whenever the roster is at the same revision. `mark`: that of its lineage.
    """

    build: int
    position: int
    change: int
    mark: str = field(default="", compare=False)

    @property
    def lineage(self) -> "Lineage":
        return Lineage(self.position, self.change, self.mark)


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a reader has seen: a position of the log and a number of the changes beside it, with the mark they had.

    Another mark at the same place: the log or the roster has another history since, after the restore of a backup.
    """

    position: int
    change: int
    mark: str


async def is_same_lineage(connection: AsyncConnection, source: str, seen: Lineage) -> bool | None:
    """Whether the source still has the history that was seen; None if it has not got there, as a replica behind."""
    values = {"source": source, "position": seen.position, "change": seen.change}
    mark: str | None = (await connection.exec_driver_sql(_MARK, values)).scalar()
    return None if mark is None else mark == seen.mark


class BeyondRoster(Exception):
    """`as_of` names a position that the roster has not reached."""

    def __init__(self, position: int) -> None:
        super().__init__(f"as_of is beyond the roster, which is at position {position}")


def revision_of(source: ColumnElement[str]) -> tuple[ScalarSelect[Any], ...]:
    """The columns of a `Revision`, as scalar subqueries, for the source in this column."""
    projection, checkpoint = projection_table.c, checkpoint_table.c
    live = select(func.coalesce(func.max(projection.live), 0)).where(projection.projection == PROJECTION)
    position = select(func.coalesce(func.max(checkpoint.position), 0)).where(
        checkpoint.source == source,
        checkpoint.projection == PROJECTION,
        checkpoint.build == live.scalar_subquery(),
    )
    change = select(func.coalesce(func.max(roster_change.c.number), 0)).where(roster_change.c.source == source)
    return tuple(query.correlate(source.table).scalar_subquery() for query in (live, position, change))


async def resolve_as_of(
    connection: AsyncConnection, source: str, as_of: int | datetime | None, reached: int
) -> int | None:
    """The position that `as_of` means on a roster at position `reached`; None: as of now.

    A time means the last position received at that time or before. Raises `BeyondRoster`.
    """
    if isinstance(as_of, datetime):
        position: int = (await connection.execute(select(func.position_at(source, as_of)))).scalar_one()
        return min(position, reached)
    if as_of is not None and as_of > reached:
        raise BeyondRoster(reached)
    return as_of
