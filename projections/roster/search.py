"""How words are searched: in the order of the list if they are common, by the index of words if they are rare.

PostgreSQL cannot choose by itself: it expects every prefix of a word to match one row in two hundred.
"""

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster.criteria import Criteria
from projections.roster.roster import Roster
from projections.roster.words import has_words_by_index

SOME = (1_000, 20_000)  # rows that each attempt reads in the order of the list, before the index of words is used
WORTH_GOING_ON = 25  # a second attempt is made if the first found a twenty-fifth of a page
_FEW = 20_000  # the most participants that are looked up by id
_SET = (
    "select set_config('enable_seqscan', '{0}', true), set_config('enable_indexscan', '{0}', true), "
    "set_config('enable_indexonlyscan', '{0}', true)"
)
_BITMAP_SCANS_ONLY, _ALL_SCANS = text(_SET.format("off")), text(_SET.format("on"))


def needs_help(roster: Roster, criteria: Criteria) -> bool:
    """Whether words are searched in a source's whole roster as of now.

    The rows of some events are few, and the past has no index of words.
    """
    of_one_event = any((each.column, each.operator) == ("event_id", "eq") for each in criteria.filters)
    return criteria.words is not None and roster.event_ids is None and roster.as_of is None and not of_one_event


async def few(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> list[str] | None:
    """The ids of all participants that have the words; None if there are more than `_FEW`.

    Changes planner settings in the caller's transaction and resets them.
    """
    rows = roster.rows
    has_words = has_words_by_index(roster, rows, criteria.words or "")
    # `offset 0` keeps PostgreSQL from moving the condition on the source into the index scans.
    matches = select(rows.c.source, rows.c.participant_id).where(has_words).offset(0).subquery()
    of_source = select(matches.c.participant_id).where(matches.c.source == roster.source)
    await connection.execute(_BITMAP_SCANS_ONLY)
    ids = list((await connection.execute(of_source.limit(_FEW + 1))).scalars())
    await connection.execute(_ALL_SCANS)
    return ids if len(ids) <= _FEW else None
