"""The deliveries about a participant: when each came, how often again, from when and of which race it says it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.participants.fields import DECLARED
from projections.roster.roster import Roster
from projections.roster.values import moment

MOST_DELIVERIES = 200
_KEYS = {column: DECLARED.keys[column] for column in ("updated_at", "event_id")}
_ABOUT = text("""
select d.event_position, d.received_at, d.event_type, d.redeliveries, d.last_at, d.is_parked, d.said
from deliveries_about(:source, :id, cast(:keys as text[]), :limit) d
where d.event_position <= :position
order by d.event_position
""")


@dataclass(frozen=True, slots=True)
class DeliveryAbout:
    """A delivery about a participant. `redeliveries`: how often it came again, the last time at `last_at`.

    `updated_at`, `event_id`: as it says; None if it does not, if it is large, or if it was erased.
    """

    position: int
    received_at: datetime
    event_type: str | None
    redeliveries: int
    last_at: datetime | None
    is_parked: bool
    updated_at: datetime | None
    event_id: str | None


async def deliveries_about(
    connection: AsyncConnection, roster: Roster, participant_id: str, position: int
) -> list[DeliveryAbout]:
    """The newest deliveries about a participant up to a position, the oldest first. For a participant who was found."""
    keys = [key for of_column in _KEYS.values() for key in of_column]
    values = {"source": roster.source, "id": participant_id, "keys": keys, "limit": MOST_DELIVERIES}
    rows = await connection.execute(_ABOUT, {**values, "position": position})
    return [
        DeliveryAbout(
            row.event_position, row.received_at, row.event_type, row.redeliveries, row.last_at, row.is_parked,
            _moment(_first(row.said, "updated_at")), _first(row.said, "event_id"),
        )
        for row in rows
    ]  # fmt: skip


def _first(said: Mapping[str, str | None] | None, column: str) -> str | None:
    """What the first key of a column says that says anything."""
    values: Sequence[str | None] = [(said or {}).get(key) for key in _KEYS[column]]
    return next(filter(None, values), None)


def _moment(value: Any) -> datetime | None:  # noqa: ANN401 - what a delivery says
    time = moment(value)
    return time if isinstance(time, datetime) and time.tzinfo else None
