"""Reads a participant's answers to questions, in each of the shapes that platforms are known to send. Pure and total.

How Movemint sends answers is not published. Three shapes are read: a list of objects with question and answer, a list
of objects with question id and answer, and an object whose keys lead to an answer or to an object of label and value;
one object with question and answer is a list of one. `answer_row` reads each row by itself. docs/projections.md has the
rules for people.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import repeat
from typing import NamedTuple

from ingest.delivery import USUAL_ID
from projections.participants.answer_row import is_row, read_row

_MOST_NAMED = 5  # rows
_LONGEST_KEY = 200  # characters of a question that has no id


class Answer(NamedTuple):
    """One value of an answer; check boxes give several in a row. `question`: its text, else its id.

    `answer`: an empty text if the question was not answered.
    """

    question_id: str
    question: str
    answer: str


class Reading(NamedTuple):
    """The answers under one key, in the order in which they are sent; `unread`: which rows could not be read, and why.

    A question is in it once per answer; once without an answer if it has none.
    """

    answers: list[Answer]
    unread: str | None = None


def question_key(question_id: str, question: str) -> str:
    """What a question is known by: its id if it has one, else its words. Short enough for an index."""
    if question_id:
        return "i" + question_id
    if len(question) <= _LONGEST_KEY:
        return "w" + question
    return "h" + sha256(question.encode()).hexdigest()


def read_answers(value: object, *, is_form: bool = False) -> Reading:
    """The answers under a key. `is_form`: it may have the form that everybody got, so what may be chosen is no answer.

    Each row is read by itself. What cannot be told apart is left out and named, never guessed.
    """
    if isinstance(value, list):
        rows: Iterable[tuple[str | None, object]] = zip(repeat(None), value)
    elif isinstance(value, dict):
        rows = [(None, value)] if is_row(value) else value.items()
    else:
        return Reading([], "neither a list of answers nor a map of them")
    answers: list[Answer] = []
    unread: list[str] = []
    for place, (key, row) in enumerate(rows, 1):
        if key is None and row.__class__ is dict and (answer := _usual(row)) is not None:
            answers.append(answer)
            continue
        (id_, words), texts, reason = read_row(key, row, is_form=is_form)
        answers += [Answer(id_, words, text) for text in texts]
        if reason is not None:
            unread.append(f"row {place}: {reason}")
    return Reading(answers if len(answers) == 1 else _each_once(answers), _few_of(unread) if unread else None)


def _usual(row: Mapping[str, object]) -> Answer | None:
    """The answer of a row as nearly every one is: read five times as quickly, and the same."""
    id_, words, text = row.get("question_id"), row.get("question"), row.get("answer")
    if id_.__class__ is not int or words.__class__ is not str or text.__class__ is not str or "field" in row:
        return None
    if not 0 <= id_ < USUAL_ID or not words or not text or words.isspace() or text.isspace():
        return None
    return Answer(str(id_), words, text)


def _few_of(unread: Sequence[str]) -> str:
    more = f"; and {len(unread) - _MOST_NAMED} more rows" if len(unread) > _MOST_NAMED else ""
    return "; ".join(unread[:_MOST_NAMED]) + more


def is_whole(answers: Sequence[Answer]) -> bool:
    """Whether each question is answered and has words, so that another key can add nothing."""
    for id_, words, text in answers:  # noqa: SIM110 - nearly always one, and a generator takes longer
        if not text or id_ == words:
            return False
    return bool(answers)


def beside(first: Reading, later: Reading, *, are_forms: tuple[bool, bool]) -> Reading:
    """What two keys say together, of which the first that has answers counts. A form beside another key needs no reason.

    Of the later one, questions that the first has without an answer get theirs, and those without words their words.
    """
    if not first.answers:
        return later if later.answers else Reading([], first.unread or later.unread)
    first_reason = None if are_forms[0] and later.answers else first.unread
    later_reason = None if are_forms[1] else later.unread
    answered = _questions(first.answers, are_answered=True)
    if answered:
        asked = _questions(first.answers)
        added = [each for each in later.answers if _question(each) in asked]
        added = [each._replace(answer="") if _question(each) in answered else each for each in added]
        return Reading(_each_once([*first.answers, *added]), first.unread)
    answered = _questions(later.answers, are_answered=True)
    if answered and _questions(first.answers) <= answered:
        first_reason = None  # it was read elsewhere
    reasons = [each for each in (first_reason, later_reason) if each is not None]
    return Reading(_each_once([*first.answers, *later.answers]), "; ".join(reasons) or None)


def _question(answer: Answer) -> tuple[str, str]:
    return answer.question_id, "" if answer.question_id else answer.question


def _questions(answers: Iterable[Answer], *, are_answered: bool = False) -> set[tuple[str, str]]:
    return {_question(answer) for answer in answers if answer.answer or not are_answered}


def _each_once(answers: Sequence[Answer]) -> list[Answer]:
    """Each answer to each question once; a question without an answer only where it has none. Under words, if any are."""
    answered = _questions(answers, are_answered=True)
    words = {_question(each): each.question for each in reversed(answers) if each.question != each.question_id}
    once: dict[tuple[tuple[str, str], str], Answer] = {}
    for answer in answers:
        question = _question(answer)
        if answer.answer or question not in answered:
            is_wordless = answer.question == answer.question_id
            named = answer._replace(question=words.get(question, answer.question)) if is_wordless else answer
            once.setdefault((question, answer.answer), named)
    return list(once.values())
