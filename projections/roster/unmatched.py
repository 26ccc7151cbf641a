"""Which criteria can match nobody, and why: an empty answer to a misspelt question looks like an empty roster."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.participants.table import participant_answers
from projections.roster.criteria import ANSWER, Criteria, Filter
from projections.roster.roster import Roster
from projections.roster.where import conditions, is_answer, is_question

_LOOKED_AT = 2_000  # answers, to find one of somebody whom a token of some events sees
_LONGEST = 40  # characters of a name or value that is shown; each is up to 12 bytes of a header


def empty_filters(criteria: Criteria) -> Iterator[str]:
    """The filters with an empty text, which the roster keeps as null. ASCII, as all that this module says."""
    for filter_ in criteria.filters:
        values = filter_.value if isinstance(filter_.value, tuple) else (filter_.value,)
        if set(values) != {""}:
            continue
        if filter_.operator in ("eq", "in"):
            yield f"{_name(filter_)}= matches nobody: an empty text is null; see {filter_.column}__isnull=true"
        elif filter_.operator == "ne":
            yield f"{_name(filter_)}= excludes nobody: an empty text is null; see {filter_.column}__isnull=false"


async def unmatched(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> AsyncIterator[str]:
    """The filters by events and answers that nobody on the roster meets now, each by itself."""
    for filter_ in criteria.filters:
        if filter_.column == "event_id" and filter_.operator in ("eq", "in") and roster.as_of is None:
            rows = roster.rows
            values = filter_.value if isinstance(filter_.value, tuple) else (filter_.value,)
            is_there = exists().where(roster.sees(rows), rows.c.event_id.in_(values))
            if not (await connection.execute(select(is_there))).scalar_one():
                yield f"{_name(filter_)}={_shown(','.join(values))}: nobody on this roster is in such an event"
    for question, answer in criteria.answers if roster.as_of is None else ():
        if not await _is_given(connection, roster, question):
            yield f"{ANSWER}{_shown(question)}: nobody on this roster has answered it; questions are compared exactly"
        elif not await _is_given(connection, roster, question, answer):
            yield f"{ANSWER}{_shown(question)}: nobody on this roster has answered so; answers are compared exactly"


async def is_met(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> bool:
    """Whether somebody on the roster meets all criteria. Raises `AnswersOfThePast`."""
    somebody = exists().where(conditions(roster, roster.rows, criteria))
    return bool((await connection.execute(select(somebody))).scalar_one())


async def read_on(connection: AsyncConnection, roster: Roster, question: str, answer: str) -> tuple[str, str]:
    """A question and its answer, of a text that was divided at the first of several `=`: a question may have some, too.

    It is the longest question that somebody on the roster has answered; what was given if there is none.
    """
    parts = answer.split("=")
    for number in range(len(parts) - 1, -1, -1):
        longer = "=".join([question, *parts[:number]])
        if await _is_given(connection, roster, longer):
            return longer, "=".join(parts[number:])
    return question, answer


async def _is_given(connection: AsyncConnection, roster: Roster, question: str, answer: str | None = None) -> bool:
    """Whether somebody has answered a question, or has answered it so. True also where that would take long."""
    conditions = [participant_answers.c.source == roster.source, *is_question(question)]
    if answer is not None:
        conditions += is_answer(answer)
    if roster.event_ids is None:
        return bool((await connection.execute(select(exists().where(*conditions)))).scalar_one())
    rows = roster.rows
    given = select(participant_answers.c.participant_id).where(*conditions).limit(_LOOKED_AT).subquery()
    sees = roster.sees(rows) & (rows.c.participant_id == given.c.participant_id)
    counted = select(func.count(), func.count(rows.c.participant_id)).select_from(given.outerjoin(rows, sees))
    looked_at, seen = (await connection.execute(counted)).one()
    return seen > 0 or looked_at == _LOOKED_AT


def _name(filter_: Filter) -> str:
    return filter_.column if filter_.operator == "eq" else f"{filter_.column}__{filter_.operator}"


def _shown(text: str) -> str:
    return quote(text[:_LONGEST], safe="") + ("..." if len(text) > _LONGEST else "")
