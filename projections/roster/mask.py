"""What a reader without personal data sees of a roster: the columns, questions and answers that SQL shows one."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json
from sqlalchemy import ARRAY, ColumnElement, FromClause, Select, Text, case, column, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.participants.fields import DECLARED

GIVEN = "given"  # beside a masked answer: the answer itself, see `Roster.written`
PERSONAL = frozenset({"attributes", *(field.column for field in DECLARED.columns if field.is_personal)})


@dataclass(frozen=True, slots=True)
class Mask:
    """Of a source, what many people have: ids of questions, words of questions, and answers.

    `answers`: each with the question's id, else with its words. `digest`: of all three, equal where they are.
    """

    question_ids: frozenset[str] = field(default=frozenset(), compare=False)
    words: frozenset[str] = field(default=frozenset(), compare=False)
    answers: frozenset[tuple[str, str]] = field(default=frozenset(), compare=False)
    digest: str = ""

    def has_answers_to(self, question_id: str | None, words: str) -> bool:
        """Whether any answer to a question is shown."""
        return any(question == (question_id or words) for question, _ in self.answers)

    def masked(self, answers: FromClause) -> FromClause:
        """The answers to questions that are shown; an answer that is not shown is null, as if it were not given."""
        has_id = answers.c.question_id == func.any(_texts([*self.question_ids]))
        has_words = answers.c.question == func.any(_texts([*self.words]))
        pairs = [*self.answers]
        chosen = func.unnest(_texts([question for question, _ in pairs]), _texts([answer for _, answer in pairs]))
        shown = chosen.table_valued(column("question", Text), column("answer", Text)).render_derived(name="chosen")
        is_shown = tuple_(func.coalesce(answers.c.question_id, answers.c.question), answers.c.answer).in_(select(shown))
        masked = {
            "question_id": case((has_id, answers.c.question_id)),
            "question": case((has_words, answers.c.question), else_=answers.c.question_id),
            "answer": case((is_shown, answers.c.answer)),
        }
        columns = [masked.get(each.name, each).label(each.name) for each in answers.c]
        return select(*columns, answers.c.answer.label(GIVEN)).where(or_(has_id, has_words)).subquery()


async def mask_of(connection: AsyncConnection, source: str) -> Mask:
    """The mask of a source's newest roster. Every answer is counted: some seconds where there are millions."""
    questions = (await connection.execute(_of_many("questions_of_many", source, "question_id", "question"))).all()
    answers = (await connection.execute(_of_many("answers_of_many", source, "question", "answer"))).all()
    ids = {id_ for id_, _ in questions if id_ is not None}
    words = {words for _, words in questions if words is not None}
    pairs = {(question, answer) for question, answer in answers}
    digest = hashlib.sha256(to_json((sorted(ids), sorted(words), sorted(pairs)))).hexdigest()
    return Mask(frozenset(ids), frozenset(words), frozenset(pairs), digest)


def _of_many(function: str, source: str, *names: str) -> Select[Any]:
    rows = getattr(func, function)(source).table_valued(*(column(name, Text) for name in names))
    return select(*(rows.c[name] for name in names))


def _texts(values: list[str]) -> ColumnElement[list[str]]:
    return literal(values, ARRAY(Text))
