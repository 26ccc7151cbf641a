"""The questions of a roster's forms: which there are, in which order, under which words, and which of them are meant.

A question is one by its id under its newest words, those of the newest participant who was asked it in words; where
only its id came, under that; without an id it is one by its words. Words that it had are found too, where no question
has them now. Filters by answers, columns of exports and the list of questions all ask here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from pydantic_core import to_json
from sqlalchemy import ARRAY, BigInteger, Text, column, func, literal, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster.answer_filters import ANSWER
from projections.roster.criteria import Criteria, ParameterRefused
from projections.roster.mask import Mask
from projections.roster.roster import Roster

_MOST_NOTED = 2_000  # bytes of keys in a cursor, which stands in an address
_LONGEST_SHOWN = 60  # characters of an unknown question that are shown
_OF_ID = "i"  # what the key of a question begins with that is one by its id
Keys = Sequence[Sequence[str]]
"""The keys of the questions that each filter by answers means."""
Digest = str
"""Of such keys, where they are too many for a cursor."""


@dataclass(frozen=True, slots=True)
class FormQuestion:
    """A question that participants were asked. `question_id`: None if it has none. `words`: the newest, else the id."""

    key: str
    question_id: str | None
    words: str

    @property
    def has_words(self) -> bool:
        return self.words != self.question_id


@dataclass(frozen=True, slots=True)
class Asked:
    """The newest time that a question was asked in an event, in words if it ever was.

    `position`, `participant_id`: of the state and the participant who was asked.
    """

    event_id: str | None
    question: FormQuestion
    position: int
    participant_id: str


def narrowed(roster: Roster, criteria: Criteria) -> Roster:
    """The roster of the events alone that the criteria name: its questions are those of their forms."""
    for filter_ in criteria.filters:
        if filter_.column == "event_id" and filter_.operator in ("eq", "in"):
            wanted = filter_.value if isinstance(filter_.value, tuple) else (str(filter_.value),)
            seen = wanted if roster.event_ids is None else tuple(id_ for id_ in wanted if id_ in roster.event_ids)
            roster = replace(roster, event_ids=seen)
    return roster


async def resolved(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> Criteria:
    """The criteria with the keys of the questions that each filter by answers means, unless they have them.

    By id first, then by the newest words, then by words that anybody has.
    """
    if all(filter_.keys is not None for filter_ in criteria.answers):
        return criteria
    of_events = narrowed(roster, criteria)
    asked = await newest(connection, of_events)
    questions = named(asked)
    return _with_keys(
        criteria, [await _meant(connection, of_events, filter_.question, questions) for filter_ in criteria.answers]
    )


async def resolved_as_noted(
    connection: AsyncConnection, roster: Roster, criteria: Criteria, noted: Keys | Digest
) -> Criteria:
    """The criteria with the questions that they meant on the page before, whatever these are called since.

    Raises `ParameterRefused` if only the digest is known, and they mean others now.
    """
    if not isinstance(noted, Digest):
        return _with_keys(criteria, noted)
    criteria = await resolved(connection, roster, criteria)
    if noted != _digest(_seen_keys(roster, criteria)):
        raise ParameterRefused("cursor", "Questions got other words since the first page: start again without cursor.")
    return criteria


def note_of(roster: Roster, criteria: Criteria) -> Keys | Digest:
    """What filters by answers mean, for the cursor of the next page, which can be read: no hidden id is in it."""
    keys = _seen_keys(roster, criteria)
    return keys if len(to_json(keys)) <= _MOST_NOTED else _digest(keys)


def _seen_keys(roster: Roster, criteria: Criteria) -> Keys:
    """Without those of questions whose ids the mask hides. None of their answers is seen, so they change nothing."""
    seen = None if roster.mask is None else roster.mask.question_ids
    return [
        [key for key in filter_.keys or () if seen is None or key[:1] != _OF_ID or key[1:] in seen]
        for filter_ in criteria.answers
    ]


def _digest(keys: Keys) -> Digest:
    return sha256(to_json(keys)).hexdigest()[:32]


def _with_keys(criteria: Criteria, keys: Keys) -> Criteria:
    answers = (replace(filter_, keys=tuple(meant)) for filter_, meant in zip(criteria.answers, keys, strict=True))
    return replace(criteria, answers=tuple(answers))


async def refuse_hidden_answers(connection: AsyncConnection, roster: Roster, criteria: Criteria) -> None:
    """Raises `ParameterRefused` if criteria ask for answers to questions of which no answer is seen on this roster."""
    if roster.mask is None or not criteria.answers:
        return
    by_key = {each.key: each for each in named(await newest(connection, narrowed(roster, criteria)))}
    for filter_ in (await resolved(connection, roster, criteria)).answers:
        meant = [by_key[key] for key in filter_.keys or ()]
        if meant and not any(roster.mask.has_answers_to(each.question_id, each.words) for each in meant):
            raise ParameterRefused(
                f"{ANSWER}{filter_.question}",
                "The answers to this question are personal, and hidden from this token, which was made without "
                "personal data.",
            )


async def _meant(
    connection: AsyncConnection, roster: Roster, name: str, asked: Sequence[FormQuestion]
) -> tuple[str, ...]:
    """The keys of the questions, of these, that a name means."""
    by_id = [question.key for question in asked if question.question_id == name]
    by_words = by_id or sorted(question.key for question in asked if question.words == name)
    return tuple(by_words or sorted(await _once_called(connection, roster, name, asked)))


async def _once_called(
    connection: AsyncConnection, roster: Roster, words: str, asked: Sequence[FormQuestion]
) -> set[str]:
    """The keys of the questions, of these, that anybody on the roster was asked in these words.

    All answers are read: only words that no question has now come here.
    """
    answers = roster.answers
    called_so = select(answers.c.question_key).where(roster.sees(answers), answers.c.question == words).distinct()
    return {*(await connection.execute(called_so)).scalars()} & {question.key for question in asked}


async def chosen_questions(
    connection: AsyncConnection, roster: Roster, asked: Sequence[FormQuestion], names: Sequence[str] | None
) -> list[FormQuestion]:
    """The questions that are named, as those of filters are, in the order of the form; all of them if none is named.

    Raises `ParameterRefused` for a name of none.
    """
    if names is None:
        return [*asked]
    keys: set[str] = set()
    for name in names:
        meant = await _meant(connection, roster, name, asked)
        if not meant:
            called = name if name.isprintable() and 0 < len(name) <= _LONGEST_SHOWN else "one of these"
            detail = f"questions takes ids or words, and nobody was asked {called}: /v1/questions lists them."
            raise ParameterRefused("questions", detail)
        keys |= {*meant}
    return [question for question in asked if question.key in keys]


async def questions_of(connection: AsyncConnection, roster: Roster) -> list[FormQuestion]:
    """The questions of the roster's forms, in their order."""
    asked = await newest(connection, roster)
    forms = await forms_of(connection, roster, asked)
    by_key = {question.key: question for question in named(asked)}
    return [by_key[key] for key in in_form_order(forms, asked)]


async def newest(connection: AsyncConnection, roster: Roster) -> list[Asked]:
    """Each question of each event, under the words of the newest participant of the event who was asked it in words."""
    names = ("event_id", "question_key", "question_id", "question", "position", "participant_id")
    if roster.as_of is None:
        # One look-up per question; in the past all answers are read.
        events = literal(None if roster.event_ids is None else list(roster.event_ids), ARRAY(Text))
        rows: Any = func.newest_questions(roster.source, events).table_valued(
            *(column(name, BigInteger if name == "position" else Text) for name in names)
        )
        statement = select(*(rows.c[name] for name in names))
    else:
        answers = replace(roster, mask=None).answers  # which words are the newest, the mask does not decide
        keys = answers.c.event_id, answers.c.question_key
        is_wordless = answers.c.question.is_not_distinct_from(answers.c.question_id)
        statement = (
            select(*(answers.c[name] for name in names))
            .where(roster.sees(answers))
            .ext(distinct_on(*keys))
            .order_by(*keys, is_wordless, answers.c.position.desc(), answers.c.place)
        )
    asked = [
        Asked(event_id, FormQuestion(key, id_, words), position, participant_id)
        for event_id, key, id_, words, position, participant_id in await connection.execute(statement)
    ]
    return asked if roster.mask is None else await _as_seen(connection, roster, roster.mask, asked)


async def _as_seen(connection: AsyncConnection, roster: Roster, mask: Mask, asked: Sequence[Asked]) -> list[Asked]:
    """The questions as they are seen: under the newest words that are not hidden, as in SQL."""
    seen: list[Asked] = []
    for each in asked:
        question = _seen(mask, each.question)
        if question is None:
            continue
        is_hidden = question.words != each.question.words and each.question.has_words
        shown = await _newest_shown(connection, roster, mask, each) if is_hidden else None
        seen.append(replace(each, question=question) if shown is None else shown)
    return seen


async def _newest_shown(connection: AsyncConnection, roster: Roster, mask: Mask, asked: Asked) -> Asked | None:
    """The question under the newest words of it that are not hidden; None if all are."""
    answers = replace(roster, mask=None).answers
    statement = (
        select(answers.c.question, answers.c.position, answers.c.participant_id)
        .where(
            roster.sees(answers),
            func.coalesce(answers.c.event_id, "") == (asked.event_id or ""),
            answers.c.question_key == asked.question.key,
            answers.c.question.is_distinct_from(answers.c.question_id),
            answers.c.question == func.any(literal(sorted(mask.words), ARRAY(Text))),
        )
        .order_by(answers.c.position.desc(), answers.c.place)
        .limit(1)
    )
    row = (await connection.execute(statement)).one_or_none()
    return row and Asked(asked.event_id, replace(asked.question, words=row[0]), row[1], row[2])


def _seen(mask: Mask | None, question: FormQuestion) -> FormQuestion | None:
    """A question as it is seen: by its id where its words are hidden; None if both are."""
    if mask is None:
        return question
    id_ = question.question_id if question.question_id in mask.question_ids else None
    words = question.words if question.words in mask.words else id_
    return None if words is None else replace(question, question_id=id_, words=words)


def named(asked: Sequence[Asked]) -> list[FormQuestion]:
    """Each question once, under its newest words."""
    by_age = sorted(asked, key=lambda each: (each.question.has_words, each.position))
    return [*{each.question.key: each.question for each in by_age}.values()]


async def forms_of(connection: AsyncConnection, roster: Roster, asked: Sequence[Asked]) -> Mapping[int, list[str]]:
    """The forms of the participants who were asked these questions last: the keys in their order, by position."""
    answers = roster.answers
    people = {each.participant_id for each in asked}
    rows = (
        select(answers.c.position, answers.c.question_key)
        .where(roster.sees(answers), answers.c.participant_id.in_(sorted(people)))
        .order_by(answers.c.position, answers.c.place)
    )
    forms: dict[int, list[str]] = {each.position: [] for each in asked}
    for position, key in (await connection.execute(rows)).all():
        if position in forms and key not in forms[position]:
            forms[position].append(key)
    return forms


def in_form_order(forms: Mapping[int, Sequence[str]], asked: Iterable[Asked]) -> list[str]:
    """The keys of the questions in the order of the newest form; a question that it lacks stands after the one before
    it in the newest form that has it.
    """
    wanted = {each.question.key for each in asked}
    order: list[str] = []
    for position in sorted({each.position for each in asked}, reverse=True):
        form = [key for key in forms[position] if key in wanted]
        place = next((order.index(key) for key in form if key in order), len(order))
        for key in form:
            if key in order:
                place = order.index(key) + 1
            else:
                order.insert(place, key)
                place += 1
    return order
