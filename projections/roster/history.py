"""The states a participant has had, in the order in which they held, and what each changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, RowMapping, cast, null, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.participants.fields import COLUMN_NAMES
from projections.participants.table import participant_history, participants
from projections.roster.roster import NAMES, View


@dataclass(frozen=True, slots=True)
class Held:
    """A state, and the position of the event that ended it; null: it holds."""

    row: RowMapping
    until_position: int | None


async def states(
    connection: AsyncConnection, view: View, participant_id: str, after: int, limit: int
) -> Sequence[Held]:
    """Up to `limit` states that the view may see, oldest first, those that began after a position."""
    past = select(*(participant_history.c[name] for name in NAMES), participant_history.c.until_position).where(
        view.sees(participant_history),
        participant_history.c.participant_id == participant_id,
        participant_history.c.position > after,
    )
    now = select(*(participants.c[name] for name in NAMES), cast(null(), BigInteger).label("until_position")).where(
        view.sees(participants),
        participants.c.participant_id == participant_id,
        participants.c.position > after,
    )
    every = union_all(past, now).subquery()
    found = await connection.execute(select(every).order_by(every.c.position).limit(limit))
    return [Held(row, row["until_position"]) for row in found.mappings()]


def changed(before: RowMapping, after: RowMapping) -> dict[str, dict[str, Any]]:
    """What is different: each column, and each key of the object as `attributes.KEY`, from what to what."""
    pairs = {name: (before[name], after[name]) for name in COLUMN_NAMES}
    was, now = before["attributes"] or {}, after["attributes"] or {}
    pairs |= {f"attributes.{key}": (was.get(key), now.get(key)) for key in sorted({*was, *now})}
    return {name: {"from": one, "to": other} for name, (one, other) in pairs.items() if one != other}
