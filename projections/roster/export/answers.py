"""Answers as columns of an export: one per question, or of check boxes one per answer; or a row per answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, FromClause, Integer, Text, case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import LateralFromClause

from projections.roster.export.titles import titles_of
from projections.roster.participant_json import SEPARATOR
from projections.roster.questions import FormQuestion
from projections.roster.roster import Roster


@dataclass(frozen=True, slots=True)
class AnswerColumn:
    """A column of the answers to a question; with `answer`, of whether this answer is among them."""

    title: str
    key: str
    answer: str | None = None


def as_columns(questions: Sequence[FormQuestion], taken: Iterable[str]) -> list[AnswerColumn]:
    """A column per question, called by its words, by its id where another column is called so."""
    titles = titles_of([(question.words, question.question_id) for question in questions], taken)
    return [AnswerColumn(title, question.key) for title, question in zip(titles, questions, strict=True)]


async def as_one_hot(
    connection: AsyncConnection, roster: Roster, questions: Sequence[FormQuestion], taken: Sequence[str]
) -> list[AnswerColumn]:
    """The same, but a column per answer of each question to which somebody on the roster gave several answers."""
    chosen = await _chosen(connection, roster)
    columns: list[AnswerColumn] = []
    for column in as_columns(questions, taken):
        several = chosen.get(column.key)
        columns += (
            [AnswerColumn(f"{column.title}: {answer}", column.key, answer) for answer in several]
            if several
            else [column]
        )
    titles = titles_of([(column.title, None) for column in columns], taken)
    return [AnswerColumn(title, each.key, each.answer) for title, each in zip(titles, columns, strict=True)]


async def _chosen(connection: AsyncConnection, roster: Roster) -> dict[str, list[str]]:
    """All answers, in the order of their letters, to the questions to which somebody gave several."""
    answers = roster.answers
    given = roster.sees(answers) & answers.c.answer.is_not(None)
    of_one = (
        select(answers.c.question_key)
        .where(given)
        .group_by(answers.c.position, answers.c.question_key)
        .having(func.count() > 1)
        .subquery()
    )
    choices = (
        select(answers.c.question_key, answers.c.answer)
        .where(given, answers.c.question_key.in_(select(of_one.c.question_key)))
        .distinct()
    )
    chosen: dict[str, list[str]] = {}
    for key, answer in sorted((await connection.execute(choices)).all()):
        chosen.setdefault(key, []).append(answer)
    return chosen


def pivot(rows: FromClause, source: str, answers: FromClause, columns: Sequence[AnswerColumn]) -> LateralFromClause:
    """One row per participant, to be joined with `rows`: the columns by their numbers, as `answer_0` and so on."""
    keys = [*dict.fromkeys(column.key for column in columns)]
    of_one = answers.alias("of_one")
    listed = literal(keys, ARRAY(Text))
    # The keys are in the order of the form, so that most are found where the answer stands, at the first look.
    number = func.coalesce(
        func.array_position(listed, of_one.c.question_key, of_one.c.place),
        func.array_position(listed, of_one.c.question_key),
        type_=Integer(),
    )
    # Looked up once per answer: the order makes PostgreSQL keep the subquery apart.
    answer = (
        select(number.label("number"), of_one.c.answer)
        .where(
            of_one.c.source == source,
            of_one.c.participant_id == rows.c.participant_id,
            of_one.c.position == rows.c.position,
        )
        .order_by(of_one.c.place)
        .correlate(rows)
        .subquery("given")
    )
    cells = [_cell(answer, column, keys.index(column.key) + 1) for column in columns]
    return select(*(cell.label(name_of_cell(index)) for index, cell in enumerate(cells))).lateral("answers_of_one")


def name_of_cell(index: int) -> str:
    return f"answer_{index}"


def _cell(answer: FromClause, column: AnswerColumn, number: int) -> ColumnElement[Any]:
    is_to_it = answer.c.number == number
    if column.answer is None:
        return func.string_agg(answer.c.answer, SEPARATOR, type_=Text()).filter(is_to_it)
    return func.max(case((answer.c.answer == column.answer, 1), else_=0), type_=Integer()).filter(is_to_it)


def answer_rows(
    rows: FromClause, source: str, answers: FromClause, questions: Sequence[FormQuestion], *, only_these: bool
) -> LateralFromClause:
    """A row per participant and answer, to be joined with `rows`, under the newest words of the question.

    Where a mask hides these, under the words in which the participant was asked, as the list has it.
    """
    of_one = answers.alias("of_one")
    names = ("question_key", "question")
    arrays = (literal([getattr(question, name) for question in questions], ARRAY(Text)) for name in ("key", "words"))
    named = func.unnest(*arrays).table_valued(*names).render_derived(name="named")
    return (
        select(
            of_one.c.question_id,
            func.coalesce(named.c.question, of_one.c.question).label("question"),
            of_one.c.answer,
            of_one.c.place,
        )
        .select_from(of_one.join(named, named.c.question_key == of_one.c.question_key, isouter=not only_these))
        .where(
            of_one.c.source == source,
            of_one.c.participant_id == rows.c.participant_id,
            of_one.c.position == rows.c.position,
        )
        .correlate(rows)
        .lateral("answers_of_one")
    )
