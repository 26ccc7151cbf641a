"""The quarantine: events that a projection could not fold, each with its reason, until it heals."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    any_,
    delete,
    exists,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from projections.folding.outcome import Parked
from projections.folding.projection import Build, Track
from projections.folding.table import dismissed_table, projection_table, quarantine_table

# What the reason of an event begins with that failed three times by itself; a worker tries it again by itself.
TRIED_AGAIN = "it failed three times by itself and is tried again every minute: "


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """An event in the quarantine. `participant_id`: None if the log has none for the event."""

    source: str
    projection: str
    position: int
    participant_id: str | None
    reason: str
    parked_at: datetime


def park(connection: Connection, track: Track, parked: Sequence[Parked]) -> None:
    """Put events into the quarantine; an event that is there already stays as it is."""
    rows = [
        {**track.key, "position": event.position, "participant_id": event.participant_id, "reason": event.reason}
        for event in parked
    ]  # fmt: skip
    if rows:
        connection.execute(insert(quarantine_table).on_conflict_do_nothing(), rows)


def heal(connection: Connection, track: Track, last_folded: Mapping[str, int]) -> None:
    """Release the parked events that a later folded event of the same participant heals.

    `last_folded`: by participant's id, the position of the last event that was folded.
    """
    # Nearly always nothing is parked, and to ask that costs nothing beside asking about each participant of a batch.
    if not last_folded or not connection.execute(select(exists().where(_of(track)))).scalar_one():
        return
    columns = quarantine_table.c
    of_folded = columns.participant_id == any_(literal(list(last_folded), ARRAY(columns.participant_id.type)))
    parked = select(columns.participant_id, columns.position).where(_of(track), of_folded)
    healed = [row.position for row in connection.execute(parked) if row.position < last_folded[row.participant_id]]
    if healed:
        release(connection, track, healed)


def parked_in(connection: Connection, build: Build, sources: Collection[str]) -> set[str]:
    """Those of these sources of which a build has parked an event."""
    columns = quarantine_table.c
    of_build = (columns.projection == build.projection) & (columns.build == build.number)
    of_source = columns.source == any_(literal([*sources], ARRAY(columns.source.type)))
    return set(connection.execute(select(columns.source).where(of_build, of_source).distinct()).scalars())


def release(connection: Connection, track: Track, positions: Sequence[int]) -> None:
    """Take events out of the quarantine."""
    connection.execute(delete(quarantine_table).where(_of(track), quarantine_table.c.position.in_(list(positions))))


def release_participant(connection: Connection, track: Track, participant_id: str) -> None:
    """Take every event of a participant out of the quarantine."""
    connection.execute(delete(quarantine_table).where(_of(track), quarantine_table.c.participant_id == participant_id))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which parked events are meant: of one source, at one position, with a reason that begins so, dismissed by an
    operator or not; None means any.
    """

    source: str | None = None
    position: int | None = None
    reason: str | None = None
    is_dismissed: bool | None = None


def parked_events(
    connection: Connection, wanted: Wanted, limit: int, after: ParkedEvent | None = None
) -> list[ParkedEvent]:
    """Up to `limit` events that the live builds have parked, ordered by source, projection and position.

    `after`: the last event of the page before.
    """
    columns = quarantine_table.c
    key = (columns.source, columns.projection, columns.position)
    query = _wanted(select(*key, columns.participant_id, columns.reason, columns.parked_at), wanted)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(after.source, after.projection, after.position))
    return [ParkedEvent(*row) for row in connection.execute(query.order_by(*key).limit(limit))]


def parked_count(connection: Connection, wanted: Wanted) -> int:
    """How many events the live builds have parked."""
    query = _wanted(select(func.count()).select_from(quarantine_table), wanted)
    parked: int = connection.execute(query).scalar_one()
    return parked


def parked_by_source(connection: Connection) -> dict[str, int]:
    """How many events the live builds have parked that nobody has dismissed, by source."""
    columns = quarantine_table.c
    query = select(columns.source, func.count()).where(_is_live(), ~_is_dismissed()).group_by(columns.source)
    return {row[0]: row[1] for row in connection.execute(query)}


def sources_with_parked(connection: Connection) -> list[str]:
    """The sources of which the live builds have parked an event, dismissed or not."""
    return list(connection.execute(select(quarantine_table.c.source).where(_is_live()).distinct()).scalars())


def _wanted(query: Select[Any], wanted: Wanted) -> Select[Any]:
    query = query.where(_is_live())
    if wanted.source is not None:
        query = query.where(quarantine_table.c.source == wanted.source)
    if wanted.position is not None:
        query = query.where(quarantine_table.c.position == wanted.position)
    if wanted.reason is not None:
        query = query.where(quarantine_table.c.reason.startswith(wanted.reason, autoescape=True))
    if wanted.is_dismissed is not None:
        query = query.where(_is_dismissed() if wanted.is_dismissed else ~_is_dismissed())
    return query


def _is_dismissed() -> ColumnElement[bool]:
    dismissed, parked = dismissed_table.c, quarantine_table.c
    return exists().where(dismissed.source == parked.source, dismissed.position == parked.position)


def _is_live() -> ColumnElement[bool]:
    columns = quarantine_table.c
    live = select(projection_table.c.live).where(projection_table.c.projection == columns.projection)
    return columns.build == live.scalar_subquery()


def _of(track: Track) -> ColumnElement[bool]:
    columns = quarantine_table.c
    return (
        (columns.source == track.source)
        & (columns.projection == track.build.projection)
        & (columns.build == track.build.number)
    )
