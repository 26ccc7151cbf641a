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
from projections.builds import Build, projection
from projections.outcome import Parked

quarantine = Table(
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
class Entry:
    """A parked event: of which projection and source, where in the log, about whom if that is known, and why."""

    source: str
    projection: str
    position: int
    participant_id: str | None
    reason: str
    parked_at: datetime


def park(connection: Connection, build: Build, source: str, parked: Sequence[Parked]) -> None:
    rows = [
        {"source": source, "projection": build.projection, "build": build.number, "position": one.position,
         "participant_id": one.participant_id, "reason": one.reason}
        for one in parked
    ]  # fmt: skip
    if rows:
        connection.execute(insert(quarantine).on_conflict_do_nothing(), rows)


def heal(connection: Connection, build: Build, source: str, good: Mapping[str, int]) -> None:
    """Release participants of whom a good event came later than the parked ones. `good`: id -> its position."""
    if not good:
        return
    theirs = quarantine.c.participant_id == any_(literal(list(good), ARRAY(quarantine.c.participant_id.type)))
    parked = select(quarantine.c.participant_id, quarantine.c.position).where(_of(build, source), theirs)
    healed = [row.position for row in connection.execute(parked) if row.position < good[row.participant_id]]
    if healed:
        release(connection, build, source, healed)


def release(connection: Connection, build: Build, source: str, positions: Sequence[int]) -> None:
    """Take events out of the quarantine."""
    connection.execute(delete(quarantine).where(_of(build, source), quarantine.c.position.in_(list(positions))))


def release_participant(connection: Connection, build: Build, source: str, participant_id: str) -> None:
    """Take every event of a participant out of the quarantine."""
    connection.execute(delete(quarantine).where(_of(build, source), quarantine.c.participant_id == participant_id))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the parked events: of one source, at one position, where these are given."""

    source: str | None = None
    position: int | None = None


def listed(connection: Connection, wanted: Wanted, limit: int, after: Entry | None = None) -> list[Entry]:
    """Up to `limit` events that the live builds have parked, by source, projection and position; those after one."""
    of = quarantine.c
    found = _wanted(select(of.source, of.projection, of.position, of.participant_id, of.reason, of.parked_at), wanted)
    if after is not None:
        found = found.where(
            tuple_(of.source, of.projection, of.position) > tuple_(after.source, after.projection, after.position)
        )
    ordered = found.order_by(of.source, of.projection, of.position).limit(limit)
    return [Entry(*row) for row in connection.execute(ordered)]


def number(connection: Connection, wanted: Wanted) -> int:
    """How many events the live builds have parked."""
    found: int = connection.execute(_wanted(select(func.count()).select_from(quarantine), wanted)).scalar_one()
    return found


def counts(connection: Connection) -> dict[str, int]:
    """How many events the live builds have parked, by source."""
    of = quarantine.c
    found = select(of.source, func.count()).where(_is_live()).group_by(of.source)
    return {row[0]: row[1] for row in connection.execute(found)}


def _wanted(found: Select[Any], wanted: Wanted) -> Select[Any]:
    found = found.where(_is_live())
    if wanted.source is not None:
        found = found.where(quarantine.c.source == wanted.source)
    if wanted.position is not None:
        found = found.where(quarantine.c.position == wanted.position)
    return found


def _is_live() -> ColumnElement[bool]:
    current = select(projection.c.live).where(projection.c.projection == quarantine.c.projection).scalar_subquery()
    return quarantine.c.build == current


def _of(build: Build, source: str) -> ColumnElement[bool]:
    of = quarantine.c
    return (of.source == source) & (of.projection == build.projection) & (of.build == build.number)
