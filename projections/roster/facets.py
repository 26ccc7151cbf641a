"""Numbers beside a page: how many people meet criteria, how many have each value, or gave each answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    Text,
    column,
    func,
    literal_column,
    select,
    true,
    tuple_,
    values,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster.criteria import Criteria, Filter
from projections.roster.questions import FormQuestion
from projections.roster.roster import Roster
from projections.roster.where import conditions

MOST_COUNTED = 10_000
MOST_IN_FACET = 20
MOST_QUESTIONS = 5
_MOST_CHOICES = 12  # that a question has, if its answers are a facet
_SAMPLE = 200  # answers to a question that tell whether it has choices


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of a column with their numbers, the commonest first, None last. `has_more`: there are more values."""

    column: str
    values: Sequence[tuple[str | None, int]]
    has_more: bool


@dataclass(frozen=True, slots=True)
class AnswerFacet:
    """The answers to a question, each with how many participants gave it, the commonest first."""

    question: FormQuestion
    answers: Sequence[tuple[str, int]]


async def count_some(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> int:
    """How many participants meet the criteria; one more than `MOST_COUNTED` stands for any larger number."""
    some = _met(roster.counted_rows, roster, criteria, literal_column("1")).limit(MOST_COUNTED + 1).subquery()
    number: int = (await connection.execute(select(func.count()).select_from(some))).scalar_one()
    return number


async def facets(
    connection: AsyncConnection,
    roster: Roster,
    criteria: Criteria,
    columns: Sequence[str],
    filters: Sequence[Filter] = (),
) -> tuple[list[Facet], list[int]]:
    """The facets of the participants who meet the criteria, by columns of text, at least one; they are found once.

    And how many of these participants meet each of the filters, too.
    """
    rows = (await connection.execute(_counted(roster, criteria, columns, filters))).all()
    found = [_facet(column, place, len(columns), rows) for place, column in enumerate(columns)]
    of_first = [row for row in rows if row.bits == _bits(0, len(columns))]
    return found, [sum(row._mapping[_also(place)] for row in of_first) for place in range(len(filters))]


async def answer_facets(
    connection: AsyncConnection, roster: Roster, criteria: Criteria, event_id: str, questions: Sequence[FormQuestion]
) -> list[AnswerFacet]:
    """The facets of the first of these questions, which are an event's, to which few answers come again and again."""
    if not questions:
        return []
    sample = await connection.execute(_sampled(roster, event_id, [question.key for question in questions]))
    sampled: dict[str, list[str]] = {}
    for key, answer in sample:
        sampled.setdefault(key, []).append(answer)
    chosen = [question for question in questions if _has_choices(sampled.get(question.key, ()))][:MOST_QUESTIONS]
    if not chosen:
        return []
    counted: dict[str, list[tuple[str, int]]] = {question.key: [] for question in chosen}
    for key, answer, number in await connection.execute(_answered(roster, criteria, event_id, [*counted])):
        counted[key].append((answer, number))
    ordered = {key: sorted(answers, key=lambda each: (-each[1], each[0])) for key, answers in counted.items()}
    return [AnswerFacet(question, ordered[question.key][:MOST_IN_FACET]) for question in chosen]


def _met(rows: FromClause, roster: Roster, criteria: Criteria, *columns: ColumnElement[Any]) -> Select[Any]:
    """The columns of the rows that meet the criteria."""
    return select(*columns).select_from(rows).where(conditions(roster, rows, criteria))


def _counted(roster: Roster, criteria: Criteria, columns: Sequence[str], filters: Sequence[Filter]) -> Select[Any]:
    rows = roster.counted_rows
    # Beside each filter the event alone is asked for again: by it the double bibs are found.
    of_event = [each for each in criteria.filters if each.column == "event_id"]
    narrower = (Criteria((*of_event, filter_)) for filter_ in filters)
    also = [conditions(roster, rows, each).label(_also(place)) for place, each in enumerate(narrower)]
    chosen = _met(rows, roster, criteria, *(rows.c[name] for name in columns), *also).subquery()
    values = [chosen.c[name] for name in columns]
    sets = func.grouping_sets(*(tuple_(value) for value in values))
    numbers = [func.count().filter(chosen.c[each.name]).label(each.name) for each in also]
    return select(func.grouping(*values).label("bits"), func.count().label("number"), *numbers, *values).group_by(sets)


def _also(place: int) -> str:
    """The name in the statement of the number of those who meet a filter."""
    return f"also_{place}"


def _bits(place: int, number: int) -> int:
    """What PostgreSQL's `grouping` says of the set that is this one of so many columns alone: its bit is 0."""
    return (1 << number) - 1 - (1 << (number - 1 - place))


def _facet(column: str, place: int, number: int, rows: Sequence[Row[Any]]) -> Facet:
    """A facet, from the rows whose grouping set is this column alone."""
    bits = _bits(place, number)
    counted: Mapping[str | None, int] = {row._mapping[column]: row.number for row in rows if row.bits == bits}
    ordered = sorted(counted.items(), key=lambda each: (each[0] is None, -each[1], each[0] or ""))
    named = [each for each in ordered if each[0] is not None]
    return Facet(column, [*named[:MOST_IN_FACET], *ordered[len(named) :]], len(named) > MOST_IN_FACET)


def _sampled(roster: Roster, event_id: str, keys: Sequence[str]) -> Select[Any]:
    """Some answers to each question of an event, found by the index of questions."""
    answers = roster.answers
    asked = values(column("key", Text(collation="C")), name="asked").data([(key,) for key in keys])
    some = (
        select(answers.c.answer)
        .where(
            *_asked_in(roster, answers, event_id),
            answers.c.question_key == asked.c.key,
            answers.c.answer.is_not(None),
        )
        .limit(_SAMPLE)
        .lateral("some")
    )
    return select(asked.c.key, some.c.answer).select_from(asked.join(some, true()))


def _has_choices(answers: Sequence[str]) -> bool:
    different = len({*answers})
    return 1 < different <= _MOST_CHOICES and len(answers) >= 2 * different


def _answered(roster: Roster, criteria: Criteria, event_id: str, keys: Sequence[str]) -> Select[Any]:
    """How many of the participants who meet the criteria gave each answer to these questions of an event."""
    rows, answers = roster.counted_rows, roster.answers
    # Found once, before their answers: else the planner may look each answer of all events up.
    people = _met(rows, roster, criteria, rows.c.participant_id).cte("people").prefix_with("materialized")
    return (
        select(answers.c.question_key, answers.c.answer, func.count(answers.c.participant_id.distinct()))
        .select_from(people.join(answers, answers.c.participant_id == people.c.participant_id))
        .where(*_asked_in(roster, answers, event_id), answers.c.question_key.in_(keys), answers.c.answer.is_not(None))
        .group_by(answers.c.question_key, answers.c.answer)
    )


def _asked_in(roster: Roster, answers: FromClause, event_id: str) -> tuple[ColumnElement[bool], ...]:
    """The conditions that answers are of an event, by which the index of questions finds them."""
    return roster.sees(answers), func.coalesce(answers.c.event_id, literal_column("''")) == event_id
