"""Dismissals: an operator puts a parked event away that can never be read. Nobody is asked to look at it again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, exists, select
from sqlalchemy.dialects.postgresql import insert

from projections.folding.table import dismissed_table, projection_table, quarantine_table


@dataclass(frozen=True, slots=True)
class DismissedEvent:
    """A dismissed event: who dismissed it, when and why. `is_parked`: a live build still has it in the quarantine."""

    source: str
    position: int
    operator: str
    reason: str
    dismissed_at: datetime
    is_parked: bool


def note_dismissal(connection: Connection, source: str, position: int, operator: str, reason: str) -> bool:
    """Put an event away, as the operator's role, for every build there is or will be. False if it is put away."""
    row = {"source": source, "position": position, "operator": operator, "reason": reason}
    statement = insert(dismissed_table).values(row).on_conflict_do_nothing().returning(dismissed_table.c.position)
    return connection.execute(statement).first() is not None


def undo_dismissal(connection: Connection, source: str, position: int) -> bool:
    """Undo a dismissal, as the operator's role; False if there is none."""
    of_event = (dismissed_table.c.source == source) & (dismissed_table.c.position == position)
    return connection.execute(delete(dismissed_table).where(of_event)).rowcount > 0


def dismissed_events(connection: Connection, source: str | None, limit: int) -> list[DismissedEvent]:
    """Up to `limit` dismissed events, of one source or of all, ordered by source and position."""
    query = _dismissed() if source is None else _dismissed().where(dismissed_table.c.source == source)
    ordered = query.order_by(dismissed_table.c.source, dismissed_table.c.position)
    return [DismissedEvent(*row) for row in connection.execute(ordered.limit(limit))]


def dismissal_of(connection: Connection, source: str, position: int) -> DismissedEvent | None:
    """The dismissal of an event; None if it is not dismissed."""
    of_event = (dismissed_table.c.source == source) & (dismissed_table.c.position == position)
    row = connection.execute(_dismissed().where(of_event)).one_or_none()
    return None if row is None else DismissedEvent(*row)


def _dismissed() -> Select[Any]:
    dismissed, parked = dismissed_table.c, quarantine_table.c
    is_parked = exists().where(
        parked.source == dismissed.source,
        parked.position == dismissed.position,
        projection_table.c.projection == parked.projection,
        projection_table.c.live == parked.build,
    )
    columns = (dismissed.source, dismissed.position, dismissed.operator, dismissed.reason, dismissed.dismissed_at)
    return select(*columns, is_parked)
