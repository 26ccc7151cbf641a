"""Reads a participant's answers to questions, in each of the shapes that platforms are known to send. Pure and total.

How Movemint sends answers is not published. Three shapes are read: a list of objects with question and answer, a list
of objects with question id and answer, and an object whose keys lead to an answer or to an object of label and value;
one object with question and answer is a list of one.
Each row is read by itself. What cannot be told apart is left out and named, never guessed. docs/projections.md has the
rules for people.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import repeat
from typing import NamedTuple

from ingest.delivery import USUAL_ID, identifier, number_as_text

_ID_KEYS = ("question_id", "id", "key", "identifier")
_QUESTION_KEYS = ("question", "question_text", "title", "label", "name")
_OBJECTS_OF_QUESTION = ("question", "field")
_OF_ONE_ROW = ("question", "question_id", "question_text")  # a map with one of these is a row, not a form
_ANSWER_KEYS = ("answer", "value", "response", "choice")
# Answers too, where there is none of these keys; beside one that is empty they may be what could be chosen.
_SEVERAL_KEYS = ("answers", "choices", "values")
# The same, in a row that has none of those; `text` may also be the words of the question.
_LESSER_KEYS = ("options", "text")
_EVERY_ANSWER_KEY = frozenset({*_ANSWER_KEYS, *_SEVERAL_KEYS, *_LESSER_KEYS})
_CHOICES = ("choices", "options")  # by their names what could be chosen
_LABEL_KEYS = ("label", "value", "name", "title", "text", "answer")
# What a row may say of its question beside words and id; ids and times of other things too.
_OF_QUESTION = frozenset({*_ID_KEYS, *_QUESTION_KEYS, *_OBJECTS_OF_QUESTION, "type", "position", "order", "required"})
_OF_OTHERS = ("_id", "_at", "_identifier")
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
    """A row has none of the known shapes; the message says why, and never shows what is in it.

    `answers`: what of the row could be read all the same.
    """

    def __init__(self, reason: str, answers: Sequence[Answer] = ()) -> None:
        super().__init__(reason)
        self.answers = answers


def read_answers(value: object, *, may_be_form: bool = False) -> tuple[list[Answer], str | None]:
    """The answers in the order in which they are sent; and which rows could not be read, and why.

    `may_be_form`: the value may be the form that everybody got, so what could be chosen is no answer.
    """
    if isinstance(value, list):
        rows: Iterable[tuple[object, object]] = zip(repeat(None), value)
    elif isinstance(value, dict):
        is_row = any(key in value for key in _OF_ONE_ROW) and not _EVERY_ANSWER_KEY.isdisjoint(value)
        rows = [(None, value)] if is_row else value.items()
    else:
        return [], "neither a list of answers nor a map of them"
    answers: list[Answer] = []
    unread: list[str] = []
    for place, (key, row) in enumerate(rows, 1):
        try:
            answers += _row(row, may_be_form) if key is None else _entry(key, row)
        except Unreadable as error:
            answers += error.answers
            unread.append(f"row {place}: {error}")
    if not unread:
        return answers, None
    more = f"; and {len(unread) - _MOST_NAMED} more rows" if len(unread) > _MOST_NAMED else ""
    return answers, "; ".join(unread[:_MOST_NAMED]) + more


def _row(row: object, may_be_form: bool) -> list[Answer]:  # noqa: FBT001 - by name it takes longer
    """The answers of an item of a list."""
    if not isinstance(row, dict):
        raise Unreadable("not an object")
    id_, words, text = row.get("question_id"), row.get("question"), row.get("answer")
    is_usual = id_.__class__ is int and 0 <= id_ < USUAL_ID and words.__class__ is text.__class__ is str
    if is_usual and words and text and "field" not in row:
        return [Answer(str(id_), words, text)]  # nearly every row, five times as quick
    id_, words = _question(row)
    answers = _answers(id_, words, _given(row, may_be_form=may_be_form))
    if reason := _doubt(row, answers, may_be_form=may_be_form):
        raise Unreadable(reason, answers)
    return answers


def _entry(key: object, value: object) -> list[Answer]:
    """The answers under a key of a map; the key is the question's id, unless the question has one of its own."""
    if isinstance(value, dict) and not _EVERY_ANSWER_KEY.isdisjoint(value):
        id_, words = _question({name: value[name] for name in value if name not in _NOT_OF_ENTRY})
        return _answers(id_ or key, words or key, _given(value))
    return _answers(key, key, value)


# Of an entry in a map: of an emergency contact `name` is the contact's; `id` may be that of the answer.
_NOT_OF_ENTRY = frozenset({"name", "text", "id", "key", "identifier"})


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


def _given(row: Mapping[str, object], *, may_be_form: bool = False) -> object:
    """What was answered; None for no answer. A lesser key counts only in a row that has no other."""
    for kind_of_key in (_ANSWER_KEYS, _SEVERAL_KEYS, _LESSER_KEYS):
        keys = [key for key in kind_of_key if key in row and not (may_be_form and key in _CHOICES)]
        if keys:
            return _first(row, keys)
    kind = row.get("type")  # of some platforms it names the key that has the answer
    return row.get(kind) if isinstance(kind, str) and kind not in _OF_QUESTION else None


def _doubt(row: Mapping[str, object], answers: Sequence[Answer], *, may_be_form: bool) -> str | None:
    """Why a row without an answer may have one that is not known as such; None if it has none."""
    if any(answer.answer for answer in answers):
        return None
    if any(key in row for key in _ANSWER_KEYS):
        has_others = _first(row, [key for key in _SEVERAL_KEYS if key not in _CHOICES]) is not None
        return "several answers beside an empty one: which of them were given is not said" if has_others else None
    if may_be_form and _first(row, _CHOICES) is not None:
        return "choices, of which none is said to be chosen"
    known = _OF_QUESTION | _EVERY_ANSWER_KEY
    others = (value for key, value in row.items() if key not in known and not key.endswith(_OF_OTHERS))
    if any(value and not isinstance(value, dict | list) for value in others):
        return "no answer under a key that is known"
    return None


def _answers(id_: object, words: object, value: object) -> list[Answer]:
    """Raises `Unreadable` if there is no question, or with the other answers if a value is none."""
    question_id = identifier(id_) or ""
    question = words if isinstance(words, str) and words else question_id
    if not question:
        raise Unreadable("neither a question nor the id of one")
    texts: list[str] = []
    reason: str | None = None
    for each in value if isinstance(value, list) else [value]:
        try:
            texts.append(_text(each))
        except Unreadable as error:
            reason = reason or str(error)
    answers = [Answer(question_id, question, text) for text in filter(None, texts)]
    if reason is not None:
        raise Unreadable(reason, answers)
    return answers or [Answer(question_id, question, "")]


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
