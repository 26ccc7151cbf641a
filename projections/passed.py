"""Event types a projection does not know: passed by and counted, so that it shows when Movemint sends new ones."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import insert

from ingest.database import metadata
from projections.builds import Build
from projections.outcome import Passed

passed_event_type = Table(
    "unknown_event_type",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("projection", Text(collation="C"), nullable=False),
    Column("event_type", Text(collation="C"), nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("last_position", BigInteger, nullable=False),
    Column("build", Integer, nullable=False, autoincrement=False),
    PrimaryKeyConstraint("source", "projection", "build", "event_type", name="unknown_event_type_pkey"),
    ForeignKeyConstraint(
        ["projection", "build"],
        ["projection_build.projection", "projection_build.build"],
        name="unknown_event_type_build_fkey",
        ondelete="CASCADE",
    ),
)


def count(connection: Connection, build: Build, source: str, passed: Sequence[Passed]) -> None:
    """Add events of unknown types to the counts, in the transaction that passes them."""
    known = [(one.event_type, one.position) for one in passed if one.event_type is not None]
    times = Counter(event_type for event_type, _ in known)
    last: dict[str, int] = {}
    for event_type, position in known:
        last[event_type] = max(position, last.get(event_type, 0))
    rows = [
        {"source": source, "projection": build.projection, "build": build.number, "event_type": event_type,
         "events": number, "last_position": last[event_type]}
        for event_type, number in sorted(times.items())
    ]  # fmt: skip
    if rows:
        new = insert(passed_event_type)
        changed = {
            "events": passed_event_type.c.events + new.excluded.events,
            "last_position": func.greatest(passed_event_type.c.last_position, new.excluded.last_position),
        }
        connection.execute(new.on_conflict_do_update(constraint="unknown_event_type_pkey", set_=changed), rows)
