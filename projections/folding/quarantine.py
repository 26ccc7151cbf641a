"""What a projection could not fold: parked here with its reason, seen in `status`, gone when it heals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Select,
    Table,
    Text,
    any_,
    delete,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from ingest.database import metadata
from projections.folding.builds import projection_table
from projections.folding.outcome import Parked
from projections.folding.projection import Track

quarantine_table = Table(
    "quarantine",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("projection", Text(collation="C"), nullable=False),
    Column("position", BigInteger, nullable=False, autoincrement=False),
    Column("participant_id", Text(collation="C")),
    Column("reason", Text, nullable=False),
    Column("parked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("build", Integer, nullable=False, autoincrement=False),
    PrimaryKeyConstraint("source", "projection", "build", "position", name="quarantine_pkey"),
    ForeignKeyConstraint(
        ["projection", "build"],
        ["projection_build.projection", "projection_build.build"],
        name="quarantine_build_fkey",
        ondelete="CASCADE",
    ),
    Index("quarantine_participant", "source", "projection", "build", "participant_id"),
)


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """A parked event: of which projection and source, where in the log, about whom if that is known, and why."""

    source: str
    projection: str
    position: int
    participant_id: str | None
    reason: str
    parked_at: datetime


def park(connection: Connection, track: Track, parked: Sequence[Parked]) -> None:
    rows = [
        {**track.key, "position": one.position, "participant_id": one.participant_id, "reason": one.reason}
        for one in parked
    ]  # fmt: skip
    if rows:
        connection.execute(insert(quarantine_table).on_conflict_do_nothing(), rows)


def heal(connection: Connection, track: Track, good: Mapping[str, int]) -> None:
    """Release participants of whom a good event came later than the parked ones. `good`: id -> its position."""
    if not good:
        return
    of = quarantine_table.c
    are_good = of.participant_id == any_(literal(list(good), ARRAY(of.participant_id.type)))
    parked = select(of.participant_id, of.position).where(_of(track), are_good)
    healed = [row.position for row in connection.execute(parked) if row.position < good[row.participant_id]]
    if healed:
        release(connection, track, healed)


def release(connection: Connection, track: Track, positions: Sequence[int]) -> None:
    """Take events out of the quarantine."""
    connection.execute(delete(quarantine_table).where(_of(track), quarantine_table.c.position.in_(list(positions))))


def release_participant(connection: Connection, track: Track, participant_id: str) -> None:
    """Take every event of a participant out of the quarantine."""
    connection.execute(delete(quarantine_table).where(_of(track), quarantine_table.c.participant_id == participant_id))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the parked events: of one source, at one position, where these are given."""

    source: str | None = None
    position: int | None = None


def parked_events(
    connection: Connection, wanted: Wanted, limit: int, after: ParkedEvent | None = None
) -> list[ParkedEvent]:
    """Up to `limit` events that the live builds have parked, by source, projection and position; those after one."""
    of = quarantine_table.c
    found = _wanted(select(of.source, of.projection, of.position, of.participant_id, of.reason, of.parked_at), wanted)
    if after is not None:
        found = found.where(
            tuple_(of.source, of.projection, of.position) > tuple_(after.source, after.projection, after.position)
        )
    ordered = found.order_by(of.source, of.projection, of.position).limit(limit)
    return [ParkedEvent(*row) for row in connection.execute(ordered)]


def number(connection: Connection, wanted: Wanted) -> int:
    """How many events the live builds have parked."""
    found: int = connection.execute(_wanted(select(func.count()).select_from(quarantine_table), wanted)).scalar_one()
    return found


def counts(connection: Connection) -> dict[str, int]:
    """How many events the live builds have parked, by source."""
    of = quarantine_table.c
    found = select(of.source, func.count()).where(_is_live()).group_by(of.source)
    return {row[0]: row[1] for row in connection.execute(found)}


def _wanted(found: Select[Any], wanted: Wanted) -> Select[Any]:
    found = found.where(_is_live())
    if wanted.source is not None:
        found = found.where(quarantine_table.c.source == wanted.source)
    if wanted.position is not None:
        found = found.where(quarantine_table.c.position == wanted.position)
    return found


def _is_live() -> ColumnElement[bool]:
    of = quarantine_table.c
    live = select(projection_table.c.live).where(projection_table.c.projection == of.projection)
    return of.build == live.scalar_subquery()


def _of(track: Track) -> ColumnElement[bool]:
    of = quarantine_table.c
    return (of.source == track.source) & (of.projection == track.build.projection) & (of.build == track.build.number)
