"""The history of a participant: its states from the oldest, and what each changed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, RowMapping, cast, null, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.participants.fields import COLUMN_NAMES
from projections.participants.table import participant_history, participants
from projections.roster.roster import NAMES, Roster


async def states(
    connection: AsyncConnection, roster: Roster, participant_id: str, after: int, limit: int
) -> Sequence[RowMapping]:
    """Up to `limit` states on the roster, oldest first, that began after the position `after`.

    `until_position`: the position of the event that superseded the state; None for the newest state.
    """
    past = select(*(participant_history.c[name] for name in NAMES), participant_history.c.until_position).where(
        roster.sees(participant_history),
        participant_history.c.participant_id == participant_id,
        participant_history.c.position > after,
    )
    now = select(*(participants.c[name] for name in NAMES), cast(null(), BigInteger).label("until_position")).where(
        roster.sees(participants),
        participants.c.participant_id == participant_id,
        participants.c.position > after,
    )
    union = union_all(past, now).subquery()
    rows = await connection.execute(select(union).order_by(union.c.position).limit(limit))
    return rows.mappings().all()


def differences(before: RowMapping, after: RowMapping) -> dict[str, dict[str, Any]]:
    """What differs, with `from` and `to`: by column, and by key of the attributes as `attributes.KEY`."""
    pairs = {name: (before[name], after[name]) for name in COLUMN_NAMES}
    was, now = before["attributes"] or {}, after["attributes"] or {}
    pairs |= {f"attributes.{key}": (was.get(key), now.get(key)) for key in sorted({*was, *now})}
    return {name: {"from": old, "to": new} for name, (old, new) in pairs.items() if old != new}
