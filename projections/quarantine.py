"""What a projection could not fold: parked here with its reason, seen in `status`, gone when it heals."""

from collections.abc import Mapping, Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    delete,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from ingest.database import metadata
from projections.outcome import Parked

quarantine = Table(
    "quarantine",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("projection", Text(collation="C"), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("participant_id", Text(collation="C")),
    Column("reason", Text, nullable=False),
    Column("parked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("source", "projection", "position", name="quarantine_pkey"),
    Index("quarantine_participant", "source", "projection", "participant_id"),
)


def park(connection: Connection, projection: str, source: str, parked: Sequence[Parked]) -> None:
    rows = [
        {"source": source, "projection": projection, "position": one.position,
         "participant_id": one.participant_id, "reason": one.reason}
        for one in parked
    ]  # fmt: skip
    if rows:
        connection.execute(insert(quarantine).on_conflict_do_nothing(), rows)


def heal(connection: Connection, projection: str, source: str, good: Mapping[str, int]) -> None:
    """Release participants of whom a good event came later than the parked ones. `good`: id -> its position."""
    parked = (
        select(quarantine.c.participant_id, quarantine.c.position)
        .where(quarantine.c.source == source, quarantine.c.projection == projection)
        .where(quarantine.c.participant_id.in_(list(good)))
    )
    healed = [row.position for row in connection.execute(parked) if row.position < good[row.participant_id]]
    if healed:
        connection.execute(
            delete(quarantine)
            .where(quarantine.c.source == source, quarantine.c.projection == projection)
            .where(quarantine.c.position.in_(healed))
        )


def counts(connection: Connection) -> dict[str, int]:
    """How many events are parked, by source."""
    found = select(quarantine.c.source, func.count()).group_by(quarantine.c.source)
    return {row[0]: row[1] for row in connection.execute(found)}
