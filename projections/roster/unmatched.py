"""Which criteria can match nobody, and why: an empty answer to a misspelt question looks like an empty roster."""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from urllib.parse import quote

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster.answer_filters import ANSWER, split_answers
from projections.roster.criteria import AnswerFilter, Criteria, ParameterRefused
from projections.roster.questions import narrowed, resolved
from projections.roster.roster import Roster
from projections.roster.where import conditions, is_answer, is_question

_QUESTIONS, _ANSWERS = (f"{what} are compared exactly" for what in ("questions", "answers"))
_LONGEST = 40  # characters of a name or value that is shown; each is up to 12 bytes of a header


def empty_filters(criteria: Criteria) -> Iterator[str]:
    """The filters with an empty text, which the roster keeps as null. ASCII, as all that this module says."""
    for filter_ in criteria.filters:
        values = filter_.value if isinstance(filter_.value, tuple) else (filter_.value,)
        if set(values) != {""}:
            continue
        if filter_.operator in ("eq", "in"):
            yield f"{filter_.name}= matches nobody: an empty text is null; see {filter_.column}__isnull=true"
        elif filter_.operator == "ne":
            yield f"{filter_.name}= excludes nobody: an empty text is null; see {filter_.column}__isnull=false"


async def unmatched(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> AsyncIterator[str]:
    """The filters by events and answers that nobody on the roster meets now, each by itself."""
    for filter_ in criteria.filters:
        if filter_.column == "event_id" and filter_.operator in ("eq", "in") and roster.as_of is None:
            rows = roster.rows
            values = filter_.value if isinstance(filter_.value, tuple) else (filter_.value,)
            is_there = exists().where(roster.sees(rows), rows.c.event_id.in_(values))
            if not (await connection.execute(select(is_there))).scalar_one():
                yield f"{filter_.name}={_shown(','.join(values))}: nobody on this roster is in such an event"
    if roster.as_of is not None:
        return
    for asked in criteria.answers:
        if asked.operator == "ne" or asked.value is True:
            continue
        if not asked.keys:
            yield f"{_question(asked)}: nobody {_where(roster, criteria)} has answered it; {_QUESTIONS}"
        elif asked.operator != "isnull" and not await _is_given(connection, roster, asked):
            yield f"{_question(asked)}: nobody on this roster has answered so; {_ANSWERS}"


async def excluding_nobody(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> AsyncIterator[str]:
    """The filters by what participants have not answered that everybody on the roster meets now."""
    if roster.as_of is not None:
        return
    for asked in criteria.answers:
        if asked.operator != "ne" and asked.value is not True:
            continue
        name = f"{_question(asked)}__{asked.operator} excludes nobody"
        if not asked.keys:
            yield f"{name}: nobody {_where(roster, criteria)} has answered it; {_QUESTIONS}"
        elif asked.operator == "ne" and not await _is_given(connection, roster, asked):
            yield f"{name}: nobody on this roster has answered so; {_ANSWERS}"


def _where(roster: Roster, criteria: Criteria) -> str:
    return "on this roster" if narrowed(roster, criteria) == roster else "in such an event"


async def is_met(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> bool:
    """Whether somebody on the roster meets all criteria, whose questions are resolved."""
    somebody = exists().where(conditions(roster, roster.rows, criteria))
    return bool((await connection.execute(select(somebody))).scalar_one())


async def read_on(connection: AsyncConnection, roster: Roster, name: str, value: str) -> tuple[str, str]:
    """The name and the value of a filter by answers that was divided at the first of several `=`.

    A question may have some, too: it is the longest that somebody on the roster was asked; if there is none, what was
    given.
    """
    parts = value.split("=")
    for number in range(len(parts) - 1, -1, -1):
        longer, rest = "=".join([name, *parts[:number]]), "=".join(parts[number:])
        with suppress(ParameterRefused):
            _, asked = split_answers({longer: rest})
            [found] = (await resolved(connection, roster, Criteria(answers=asked))).answers
            if found.keys:
                return longer, rest
    return name, value


async def _is_given(connection: AsyncConnection, roster: Roster, asked: AnswerFilter) -> bool:
    """Whether somebody on the roster has answered a question so.

    Of some events each participant may be looked up: how many others answered so would tell of people who are not seen.
    """
    if roster.event_ids is not None:
        return await is_met(connection, roster, Criteria(answers=(replace(asked, operator="eq"),)))
    answers = roster.answers
    given_so = [answers.c.source == roster.source, *is_question(answers, asked), *is_answer(roster, answers, asked)]
    return bool((await connection.execute(select(exists().where(*given_so)))).scalar_one())


def _question(asked: AnswerFilter) -> str:
    return f"{ANSWER}{_shown(asked.question)}"


def _shown(text: str) -> str:
    return quote(text[:_LONGEST], safe="") + ("..." if len(text) > _LONGEST else "")
