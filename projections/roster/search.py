"""Helps to find words: along the order where they are common, by the index of words where they are rare.

PostgreSQL cannot tell the two apart: of words that begin with something it always expects one in two hundred rows.
"""

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster.criteria import Criteria
from projections.roster.roster import Roster
from projections.roster.where import has_words_by_index

SOME = (1_000, 20_000)  # participants that are looked at along the order, before it is given up
WORTH_GOING_ON = 25  # if there was a twenty-fifth of a page among the first of them
_FEW = 20_000  # participants that are looked up one by one
_SET = (
    "select set_config('enable_seqscan', '{0}', true), set_config('enable_indexscan', '{0}', true), "
    "set_config('enable_indexonlyscan', '{0}', true)"
)
_BY_INDEX_OF_WORDS, _ANY_WAY = text(_SET.format("off")), text(_SET.format("on"))


def needs_help(roster: Roster, criteria: Criteria) -> bool:
    """Whether words are looked for among very many: not in few events, nor in the past, which has no index of words."""
    of_one_event = any((one.column, one.operator) == ("event_id", "eq") for one in criteria.filters)
    return criteria.words is not None and roster.event_ids is None and roster.as_of is None and not of_one_event


async def few(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> list[str] | None:
    """The ids of everybody who has the words, in the caller's transaction; null if they are many after all."""
    rows = roster.rows
    have = has_words_by_index(rows, roster.source, criteria.words or "")
    everybody = select(rows.c.source, rows.c.participant_id).where(have).offset(0).subquery()
    mine = select(everybody.c.participant_id).where(everybody.c.source == roster.source)
    await connection.execute(_BY_INDEX_OF_WORDS)
    found = await connection.execute(mine.limit(_FEW + 1))
    ids = list(found.scalars())
    await connection.execute(_ANY_WAY)
    return ids if len(ids) <= _FEW else None
