"""The history of a participant: its states from the oldest, and what each changed."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Table, bindparam, cast, null, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.participants.fields import ANSWERS, COLUMN_NAMES
from projections.participants.table import participant_answers, participant_history, participants, past_answers
from projections.roster.participant_json import EVERYTHING, as_json, written_participant
from projections.roster.reading import for_psycopg, read_few
from projections.roster.roster import Roster
from projections.roster.shown import Shown

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ABSENT = msgspec.Raw(b"null")
_AT_ONCE = 25  # states; large ones are 256 kB


@dataclass(frozen=True, slots=True)
class HistoryState:
    """A state from `position` until `until_position`, that of the event that superseded it; None for the newest state.

    `participant`: as JSON.
    """

    position: int
    until_position: int | None
    participant: bytes


async def states(
    connection: AsyncConnection,
    roster: Roster,
    participant_id: str,
    after: int,
    limit: int,
    shown: Shown = EVERYTHING,
) -> AsyncGenerator[HistoryState]:
    """Up to `limit` states on the roster, oldest first, that began after the position `after`."""
    left = limit
    # The newest state is later than every superseded one.
    for table, answers in ((participant_history, past_answers), (participants, participant_answers)):
        statement, values = _states_in(table, answers, roster, shown)
        has_more = True
        while left and has_more:
            number = min(left, _AT_ONCE)
            bound = {**values, "id": participant_id, "after": after, "number": number}
            rows = await read_few(connection, statement, bound)
            for row in rows:
                after = row[0]
                yield HistoryState(*row)
            left -= len(rows)
            has_more = len(rows) == number


@lru_cache(256)
def _states_in(table: Table, answers: Table, roster: Roster, shown: Shown) -> tuple[str, dict[str, Any]]:
    until = table.c.until_position if "until_position" in table.c else cast(null(), BigInteger)
    participant = written_participant(table, roster.source, shown, roster.seen(answers))
    after = bindparam("after", required=False, type_=BigInteger)
    return for_psycopg(
        select(table.c.position, until, as_json(participant))
        .select_from(table.join(participant, true()))
        .where(roster.sees(table), table.c.participant_id == bindparam("id", required=False), table.c.position > after)
        .order_by(table.c.position)
        .limit(bindparam("number", required=False, type_=BigInteger))
    )


def differences(before: bytes | None, after: bytes) -> dict[str, dict[str, msgspec.Raw]]:
    """What differs between two participants in JSON, with `from` and `to`: by column, and by key of the attributes as
    `attributes.KEY`. Nothing for the first state, before which is None.
    """
    if before is None:
        return {}
    was, now = _OBJECT.decode(before), _OBJECT.decode(after)
    pairs = {name: (was[name], now[name]) for name in (*COLUMN_NAMES, "unlisted_at", ANSWERS) if name in now}
    had, has = _keys(was), _keys(now)
    pairs |= {f"attributes.{key}": (had.get(key, _ABSENT), has.get(key, _ABSENT)) for key in sorted({*had, *has})}
    return {name: {"from": old, "to": new} for name, (old, new) in pairs.items() if bytes(old) != bytes(new)}


def _keys(participant: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    attributes = bytes(participant.get("attributes", _ABSENT))
    return {} if attributes == b"null" else _OBJECT.decode(attributes)
