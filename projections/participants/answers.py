"""Reads a participant's answers to questions, in each of the shapes that platforms are known to send. Pure and total.

How Movemint sends answers is not published. Three shapes are read: a list of objects with question and answer, a list
of objects with question id and answer, and an object whose keys lead to an answer or to an object of label and value.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic_core import to_json

from ingest.delivery import identifier

_ID_KEYS = ("question_id", "id", "key")
_QUESTION_KEYS = ("question", "title", "label", "name", "text")
_ANSWER_KEYS = ("answer", "value", "response", "answers", "values")


class Answer(NamedTuple):
    """One answer. `question`: its text, else its id. `answer`: a list or an object as JSON. An empty text is null."""

    question_id: str
    question: str
    answer: str


class NoAnswers(Exception):
    """The value, or a part of it, has none of the known shapes; the message says which."""


def read_answers(value: object) -> list[Answer]:
    """The answers in the order in which they are sent. Raises `NoAnswers`."""
    if isinstance(value, list):
        return [_row(row) for row in value]
    if isinstance(value, dict):
        return [_entry(key, item) for key, item in value.items()]
    raise NoAnswers("neither a list of answers nor a map of them")


def _row(row: object) -> Answer:
    if not isinstance(row, dict):
        raise NoAnswers("an answer in the list is not an object")
    question = _first(row, _QUESTION_KEYS)
    if isinstance(question, dict):  # the question is an object of its own
        row = {**question, **{key: row[key] for key in (*_ANSWER_KEYS, "question_id") if key in row}}
        question = _first(row, _QUESTION_KEYS)
    return _answer(_first(row, _ID_KEYS), question, _first(row, _ANSWER_KEYS))


def _entry(key: str, value: object) -> Answer:
    if isinstance(value, dict) and any(name in value for name in _ANSWER_KEYS):
        return _answer(key, _first(value, _QUESTION_KEYS) or key, _first(value, _ANSWER_KEYS))
    return _answer(key, key, value)


def _answer(id_: object, question: object, value: object) -> Answer:
    question_id = identifier(id_) or ""
    question_text = question if isinstance(question, str) and question else question_id
    if not question_text:
        raise NoAnswers("an answer has neither a question nor the id of one")
    return Answer(question_id, question_text, _as_text(value))


def _first(row: Mapping[str, object], keys: Sequence[str]) -> object:
    for key in keys:
        value = row.get(key)
        if value is not None and value != "":
            return value
    return None


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else to_json(value, inf_nan_mode="null").decode()
