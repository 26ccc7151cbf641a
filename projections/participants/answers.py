"""Reads a participant's answers to questions, in each of the shapes that platforms are known to send. Pure and total.

How Movemint sends answers is not published. Three shapes are read: a list of objects with question and answer, a list
of objects with question id and answer, and an object whose keys lead to an answer or to an object of label and value;
one object with question and answer is a list of one. `answer_row` reads each row by itself. docs/projections.md has the
rules for people.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import repeat
from typing import NamedTuple

from ingest.delivery import USUAL_ID
from projections.participants.answer_row import MAY_BE_UNANSWERED, is_row, read_row

_MOST_NAMED = 5  # rows
_new = tuple.__new__  # of an `Answer`, in half of the time that its constructor takes
_LONGEST_KEY = 200  # characters of a question that has no id


class Answer(NamedTuple):
    """One value of an answer; check boxes give several in a row. `question`: its text, else its id.

    `answer`: an empty text if the question was not answered.
    """

    question_id: str
    question: str
    answer: str


class Unread(NamedTuple):
    """A row that could not be read. `question`: its id, else its words. `place`: of the row, from 1; 0: all of them."""

    question: tuple[str, str]
    place: int
    reason: str


ReadAnswers = tuple[list[Answer], list[Unread]]
"""The answers under one key in the order in which they are sent, and the rows that could not be read.

A question is in it once per answer; once without an answer if it has none. (A plain tuple, as one is made per event.)
"""


def question_key(question_id: str, question: str) -> str:
    """What a question is known by: its id if it has one, else its words. Short enough for an index."""
    if question_id:
        return "i" + question_id
    if len(question) <= _LONGEST_KEY:
        return "w" + question
    return "h" + sha256(question.encode()).hexdigest()


def is_whole(read: ReadAnswers) -> bool:
    """Whether each row was read, its question is answered and has words, so that another key can add nothing."""
    answers, unread = read
    for id_, words, text in answers:
        if not text or id_ == words:
            return False
    return bool(answers) and not unread


def read_answers(value: object, *, is_form: bool = False) -> ReadAnswers:
    """The answers under a key. `is_form`: it may have the form that everybody got, so what may be chosen is no answer.

    Each row is read by itself. What cannot be told apart is left out and named, never guessed.
    """
    if isinstance(value, list):
        rows: Iterable[tuple[str | None, object]] = zip(repeat(None), value)
    elif isinstance(value, dict):
        rows = [(None, value)] if is_row(value) else value.items()
    else:
        return [], [Unread(("", ""), 0, "neither a list of answers nor a map of them")]
    answers: list[Answer] = []
    unread: list[Unread] = []
    for place, (key, row) in enumerate(rows, 1):
        if key is None and row.__class__ is dict:
            id_, words, text = row.get("question_id"), row.get("question"), row.get("answer")
            is_usual = id_.__class__ is int and 0 <= id_ < USUAL_ID and words.__class__ is text.__class__ is str
            is_usual = is_usual and "field" not in row
            if is_usual and words and text and not (words.isspace() or words.isdigit() or text.isspace()):
                answers.append(_new(Answer, (str(id_), words, text)))  # nearly every row, five times as quick
                continue
        question, texts, reason = read_row(key, row, is_form=is_form)
        answers += [Answer(*question, text) for text in texts]
        if reason is not None:
            unread.append(Unread(_question(Answer(*question, "")), place, reason))
    return answers if len(answers) == 1 else _each_once(answers), unread


def reason_of(unread: Sequence[Unread]) -> str | None:
    """Which rows could not be read and why, in words; None if all could."""
    named = dict.fromkeys(f"row {place}: {reason}" if place else reason for _, place, reason in unread[:_MOST_NAMED])
    more = [f"and {len(unread) - _MOST_NAMED} more rows"] if len(unread) > _MOST_NAMED else []
    return "; ".join((*named, *more)) or None


def joined(first: ReadAnswers, later: ReadAnswers, *, are_forms: tuple[bool, bool]) -> ReadAnswers:
    """What two keys say together, of which the first that has answers counts.

    Of the later one, questions that the first has without an answer get theirs, and those without words their words.
    """
    of_first, of_later = first[0], later[0]
    answered_first, answered_later = (_questions(answers, are_answered=True) for answers in (of_first, of_later))
    first_unread = [each for each in first[1] if each.question not in answered_later - answered_first]
    later_unread = [each for each in later[1] if each.question not in answered_first]
    taken = of_later
    if answered_first:  # other questions of the later key are not read
        asked = _questions(of_first) | {each.question for each in first[1]}
        taken = [each for each in of_later if _question(each) in asked]
        taken = [each._replace(answer="") if _question(each) in answered_first else each for each in taken]
        later_unread = [each for each in later_unread if each.question in asked]
    return _each_once([*of_first, *taken]), [
        *_named(first_unread, is_form=are_forms[0] and bool(of_later)),
        *_named(later_unread, is_form=are_forms[1] and bool(of_first)),
    ]


def _named(unread: Iterable[Unread], *, is_form: bool) -> Iterable[Unread]:
    """The rows that stay named. `is_form`: of a form beside another key, which need not have answers."""
    return [each for each in unread if not (is_form and (each.place == 0 or each.reason in MAY_BE_UNANSWERED))]


def _question(answer: Answer) -> tuple[str, str]:
    return answer.question_id, "" if answer.question_id else answer.question


def _questions(answers: Iterable[Answer], *, are_answered: bool = False) -> set[tuple[str, str]]:
    return {_question(answer) for answer in answers if answer.answer or not are_answered}


def _each_once(answers: Sequence[Answer]) -> list[Answer]:
    """Each answer to each question once, under its words if any row has them; no answer only where there is none."""
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
