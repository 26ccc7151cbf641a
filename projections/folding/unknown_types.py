"""Counts the passed events of types that a projection does not know, so that a new type of Movemint's shows."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import (
    Connection,
    func,
)
from sqlalchemy.dialects.postgresql import insert

from projections.folding.outcome import Passed
from projections.folding.projection import Track
from projections.folding.table import unknown_type_table


def add(connection: Connection, track: Track, passed: Sequence[Passed]) -> None:
    """Add passed events to the counts of their types, in the transaction that passes them."""
    counted = [(event.event_type, event.position) for event in passed if event.event_type is not None]
    numbers = Counter(event_type for event_type, _ in counted)
    last: dict[str, int] = {}
    for event_type, position in counted:
        last[event_type] = max(position, last.get(event_type, 0))
    rows = [
        {**track.key, "event_type": event_type, "events": number, "last_position": last[event_type]}
        for event_type, number in sorted(numbers.items())
    ]  # fmt: skip
    if rows:
        new = insert(unknown_type_table)
        changed = {
            "events": unknown_type_table.c.events + new.excluded.events,
            "last_position": func.greatest(unknown_type_table.c.last_position, new.excluded.last_position),
        }
        connection.execute(new.on_conflict_do_update(constraint="unknown_event_type_pkey", set_=changed), rows)
