"""Which criteria can match nobody, and why: an empty answer to a misspelt question looks like an empty roster."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.participants.table import participant_answers
from projections.roster.answer_filters import ANSWER
from projections.roster.criteria import AnswerFilter, Criteria, Filter
from projections.roster.questions import narrowed
from projections.roster.roster import Roster
from projections.roster.where import is_answer, is_question

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
    if roster.as_of is not None:
        return
    where = "on this roster" if narrowed(roster, criteria) == roster else "in such an event"
    for asked in criteria.answers:
        if asked.operator not in ("eq", "in"):
            continue
        if not asked.keys:
            yield f"{_question(asked)}: nobody {where} has answered it; questions are compared exactly"
        elif not await _is_given(connection, roster, asked):
            yield f"{_question(asked)}: nobody on this roster has answered so; answers are compared exactly"


async def _is_given(connection: AsyncConnection, roster: Roster, asked: AnswerFilter) -> bool:
    """Whether somebody has answered a question so. True also where that would take long."""
    answers = participant_answers
    conditions = [answers.c.source == roster.source, *is_question(answers, asked), *is_answer(answers, asked)]
    if roster.event_ids is None:
        return bool((await connection.execute(select(exists().where(*conditions)))).scalar_one())
    given = select(answers.c.event_id).where(*conditions).limit(_LOOKED_AT).subquery()
    seen = func.count().filter(given.c.event_id.in_(roster.event_ids))
    looked_at, number = (await connection.execute(select(func.count(), seen).select_from(given))).one()
    return number > 0 or looked_at == _LOOKED_AT


def _question(asked: AnswerFilter) -> str:
    return f"{ANSWER}{_shown(asked.question)}"


def _name(filter_: Filter) -> str:
    return filter_.column if filter_.operator == "eq" else f"{filter_.column}__{filter_.operator}"


def _shown(text: str) -> str:
    return quote(text[:_LONGEST], safe="") + ("..." if len(text) > _LONGEST else "")
