"""The questions of each event's form in their order, with how many participants were asked and how many answered."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster import questions
from projections.roster.questions import Asked
from projections.roster.roster import Roster

EventPlace = tuple[bool, str]
"""Where an event stands in the list: by its id as text; participants in no event are the last."""


def event_place(event_id: str | None) -> EventPlace:
    return event_id is None, event_id or ""


async def forms(
    connection: AsyncConnection, roster: Roster, only: str | None, after: EventPlace | None, limit: int
) -> list[dict[str, Any]]:
    """The forms of up to `limit` events, by the events' ids; `only` of this event; with `after`, those after it."""
    asked = await questions.newest(connection, roster)
    places = {event_place(each.event_id) for each in asked if only is None or each.event_id == only}
    page = sorted(place for place in places if after is None or place > after)[:limit]
    shown = [each for each in asked if event_place(each.event_id) in page]
    counts = await _counts(connection, roster, page)
    orders = await questions.forms_of(connection, roster, shown)
    by_event: dict[EventPlace, list[Asked]] = {place: [] for place in page}
    for each in shown:
        by_event[event_place(each.event_id)].append(each)
    return [_form(None if is_none else id_, by_event[is_none, id_], orders, counts) for is_none, id_ in page]


def _form(
    event_id: str | None,
    asked: Sequence[Asked],
    orders: Mapping[int, list[str]],
    counts: Mapping[tuple[str | None, str], tuple[int, int]],
) -> dict[str, Any]:
    by_key = {each.question.key: each.question for each in asked}
    return {
        "event_id": event_id,
        "questions": [
            {
                "question_id": by_key[key].question_id,
                "question": by_key[key].words,
                "asked": counts[event_id, key][0],
                "answered": counts[event_id, key][1],
            }
            for key in questions.in_form_order(orders, asked)
        ],
    }


async def _counts(
    connection: AsyncConnection, roster: Roster, page: Sequence[EventPlace]
) -> dict[tuple[str | None, str], tuple[int, int]]:
    """How many participants were asked, and answered, by event and question. A position is one participant's.

    Hidden answers are not counted: the numbers as of one position and of the next would tell who answered.
    """
    answers = roster.answers
    ids = [id_ for is_none, id_ in page if not is_none]
    in_events: ColumnElement[bool] = answers.c.event_id.in_(ids)
    if (True, "") in page:
        in_events = or_(in_events, answers.c.event_id.is_(None))
    keys = answers.c.event_id, answers.c.question_key
    people = func.count(answers.c.position.distinct())
    counts = (
        select(*keys, people, people.filter(answers.c.answer.is_not(None)))
        .where(roster.sees(answers), in_events)
        .group_by(*keys)
    )
    rows = (await connection.execute(counts)).all()
    return {(event_id, key): (asked, answered) for event_id, key, asked, answered in rows}
