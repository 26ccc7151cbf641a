"""Reads a participant's answers to questions, in each of the shapes that platforms are known to send. Pure and total.

How Movemint sends answers is not published. Three shapes are read: a list of objects with question and answer, a list
of objects with question id and answer, and an object whose keys lead to an answer or to an object of label and value.
Each row is read by itself. What cannot be told apart is left out and named, never guessed.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import repeat
from typing import NamedTuple

from ingest.delivery import USUAL_ID, identifier, number_as_text

_ID_KEYS = ("question_id", "id", "key", "identifier")
_QUESTION_KEYS = ("question", "question_text", "title", "label", "name")
_OBJECTS_OF_QUESTION = ("question", "field")
_ANSWER_KEYS = ("answer", "value", "response", "choice", "choices", "answers", "values")
# What may be something else where another key has the answer: the options to choose from, the words of the question.
_LESSER_ANSWER_KEYS = ("options", "text")
_LABEL_KEYS = ("label", "value", "name", "title", "text", "answer")
_MOST_NAMED = 5  # rows
_LONGEST_KEY = 200  # characters of a question that has no id


class Answer(NamedTuple):
    """One value of an answer; check boxes give several in a row. `question`: its text, else its id.

    `answer`: an empty text if the question was not answered.
    """

    question_id: str
    question: str
    answer: str


def question_key(question_id: str, question: str) -> str:
    """What a question is known by: its id if it has one, else its words. Short enough for an index."""
    if question_id:
        return "i" + question_id
    if len(question) <= _LONGEST_KEY:
        return "w" + question
    return "h" + sha256(question.encode()).hexdigest()


class Unreadable(Exception):
    """A row has none of the known shapes; the message says why, and never shows what is in it."""


def read_answers(value: object) -> tuple[list[Answer], str | None]:
    """The answers in the order in which they are sent; and which rows could not be read, and why."""
    if isinstance(value, list):
        rows: Iterable[tuple[object, object]] = zip(repeat(None), value)
    elif isinstance(value, dict):
        rows = value.items()
    else:
        return [], "neither a list of answers nor a map of them"
    answers: list[Answer] = []
    unread: list[str] = []
    for place, (key, row) in enumerate(rows, 1):
        try:
            answers += _row(row) if key is None else _entry(key, row)
        except Unreadable as error:
            unread.append(f"row {place}: {error}")
    if not unread:
        return answers, None
    more = f"; and {len(unread) - _MOST_NAMED} more rows" if len(unread) > _MOST_NAMED else ""
    return answers, "; ".join(unread[:_MOST_NAMED]) + more


def _row(row: object) -> list[Answer]:
    """The answers of an item of a list."""
    if not isinstance(row, dict):
        raise Unreadable("not an object")
    id_, words, text = row.get("question_id"), row.get("question"), row.get("answer")
    is_usual = id_.__class__ is int and 0 <= id_ < USUAL_ID and words.__class__ is text.__class__ is str
    if is_usual and words and text and "field" not in row:
        return [Answer(str(id_), words, text)]  # nearly every row, five times as quick
    id_, words = _question(row)
    return _answers(id_, words, _given(row))


def _entry(key: object, value: object) -> list[Answer]:
    """The answers under a key of a map; the key is the question's id."""
    if isinstance(value, dict) and any(name in value for name in _ANSWER_KEYS):
        words = _first(value, _QUESTION_KEYS[:-1])  # not `name`: of an emergency contact it is the contact's
        return _answers(key, words or key, _given(value))
    return _answers(key, key, value)


def _question(row: Mapping[str, object]) -> tuple[object, object]:
    """The question's id and its words, where the row has them: its own, or those of an object for the question."""
    id_, words = _first(row, _ID_KEYS), _first(row, _QUESTION_KEYS)
    for name in _OBJECTS_OF_QUESTION:
        question = row.get(name)
        if isinstance(question, dict):
            id_ = row.get("question_id") or _first(question, _ID_KEYS) or id_
            words = _first(question, (*_QUESTION_KEYS, "text")) or (words if words is not question else None)
    if isinstance(words, int | float):  # `question` is the id
        return words, None
    return id_, words


def _given(row: Mapping[str, object]) -> object:
    """What was answered; None for no answer. A lesser key counts only in a row that has no other."""
    if any(key in row for key in _ANSWER_KEYS):
        return _first(row, _ANSWER_KEYS)
    return _first(row, _LESSER_ANSWER_KEYS)


def _answers(id_: object, words: object, value: object) -> list[Answer]:
    question_id = identifier(id_) or ""
    question = words if isinstance(words, str) and words else question_id
    if not question:
        raise Unreadable("neither a question nor the id of one")
    values = value if isinstance(value, list) else [value]
    texts = [text for text in map(_text, values) if text]
    return [Answer(question_id, question, text) for text in texts or [""]]


def _first(row: Mapping[str, object], keys: Sequence[str]) -> object:
    for key in keys:
        value = row.get(key)
        if value is not None and value != "" and value != []:
            return value
    return None


def _text(value: object) -> str:
    """One value as a text; an object by its label."""
    if isinstance(value, dict):
        value = _first(value, _LABEL_KEYS)
        if value is None or isinstance(value, dict | list):
            raise Unreadable("an answer that is an object without a label")
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_as_text(value)
    raise Unreadable("an answer that is a list of lists")
