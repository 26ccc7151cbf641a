"""Counts the passed events of types that a projection does not know, so that a new type of Movemint's shows."""

from collections import Counter
from collections.abc import Iterable, Sequence

from sqlalchemy import (
    Connection,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from projections.folding.outcome import Passed
from projections.folding.projection import Track
from projections.folding.table import unknown_type_table

MOST_UNKNOWN_TYPES = 1_000  # of a source in a build; the events of all further types are counted together
FURTHER_TYPES = "(further types)"


def add(connection: Connection, track: Track, passed: Sequence[Passed]) -> None:
    """Add passed events to the counts of their types, in the transaction that passes them."""
    counted = [(event.event_type, event.position) for event in passed if event.event_type is not None]
    if not counted:
        return
    names = _names(connection, track, {event_type for event_type, _ in counted})
    numbers = Counter(names[event_type] for event_type, _ in counted)
    last: dict[str, int] = {}
    for event_type, position in counted:
        last[names[event_type]] = max(position, last.get(names[event_type], 0))
    rows = [
        {**track.key, "event_type": name, "events": number, "last_position": last[name]}
        for name, number in sorted(numbers.items())
    ]  # fmt: skip
    new = insert(unknown_type_table)
    changed = {
        "events": unknown_type_table.c.events + new.excluded.events,
        "last_position": func.greatest(unknown_type_table.c.last_position, new.excluded.last_position),
    }
    connection.execute(new.on_conflict_do_update(constraint="unknown_event_type_pkey", set_=changed), rows)


def _names(connection: Connection, track: Track, event_types: Iterable[str]) -> dict[str, str]:
    """By event type, the name under which it is counted."""
    columns = unknown_type_table.c
    of_track = (columns.source == track.source) & (columns.projection == track.build.projection)
    query = select(columns.event_type).where(of_track, columns.build == track.build.number)
    known = set(connection.execute(query).scalars())
    names = {}
    for event_type in sorted(event_types):
        if event_type in known or len(known) < MOST_UNKNOWN_TYPES:
            known.add(event_type)
            names[event_type] = event_type
        else:
            names[event_type] = FURTHER_TYPES
    return names
