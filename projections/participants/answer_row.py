"""Reads one row of a participant's answers: which question it is about, and what was answered. Pure and total.

A row is an item of a list, an entry of a map, or a question of a form. One mechanism reads all of them: first which
keys speak of the question, then what was given, then whether a key that has something was not used. What cannot be
told apart is no answer and is named, never guessed.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from ingest.delivery import identifier
from projections.participants.answer_value import (
    FALSE,
    FLAGS,
    NO_LABEL,
    SAID_WORDS,
    JsonMap,
    first_said,
    is_empty,
    is_flagged,
    texts_of,
)

_OWN_IDS = ("id", "key", "identifier")  # of the question, if it is not said whose; in an entry of a map, of the answer
_OWN_WORDS = ("title", "label", "name")  # of the question, if it is not said whose
_WORDS = ("question", *SAID_WORDS, *_OWN_WORDS)
_OBJECTS = ("question", "field")  # that may be an object about the question
_ABOUT = frozenset(  # what else a row says of its question
    {
        *("type", "question_type", "field_type", "input_type", "position", "order", "sort_order", "display_order"),
        *("required", "is_required", "mandatory", "description", "help_text", "hint", "placeholder"),
    }
)
_SAY_QUESTION = frozenset({"question", "question_id", *SAID_WORDS})  # no key of a map is called so
_OF_ITEM = frozenset({*_SAY_QUESTION, *_OWN_IDS, *_WORDS, *_OBJECTS, *_ABOUT})
_OF_ENTRY = _OF_ITEM - {"name"}  # of an emergency contact `name` is the contact's
_OF_ANYTHING = ("_id", "_at", "_identifier")  # ends of keys: ids and times of other things
_OF_ANSWERS = ("answer", "choice", "option", "response", "selected", "value")  # beginnings of ids that are answers

_ANSWER = ("answer", "value", "response", "choice")
_SEVERAL = ("answers", "values")  # beside one of the above that is empty they may be what could be chosen
_CHOICES = ("choices", "options")  # by their names what could be chosen
_LISTS = (*_SEVERAL, *_CHOICES)
_EVERY_ANSWER = frozenset({*_ANSWER, *_LISTS})

_NO_QUESTION = "neither a question nor the id of one"
_UNKNOWN_KEY = "no answer under a key that is known"
_ONLY_CHOICES = "choices, of which none is said to be chosen"
_BESIDE_EMPTY = "several answers beside an empty one: which of them were given is not said"
_BESIDE_OTHERS = "several answers beside a key that is not known, which may say which of them were given"
MAY_BE_UNANSWERED = frozenset({_UNKNOWN_KEY, _ONLY_CHOICES, _BESIDE_EMPTY})
"""The reasons that a row has which may have no answer at all."""


class _Question(NamedTuple):
    """A question's id, empty if it has none, and its words, else its id."""

    id: str
    words: str


def is_row(value: JsonMap) -> bool:
    """Whether an object under a key of answers is one row, not a map from questions to answers."""
    if not _SAY_QUESTION.isdisjoint(value):
        return True
    if not all(key in _OF_ITEM or key in _EVERY_ANSWER or _is_of_anything(key) for key in value):
        return False
    if any(key in value for key in (*_ANSWER, *_SEVERAL)):
        return any(key in _OF_ITEM and key not in _ABOUT for key in value)
    return any(key in value for key in _OWN_IDS) and ("title" in value or "label" in value)  # not answered


def read_row(key: str | None, row: object, *, is_form: bool) -> tuple[_Question, Sequence[str], str | None]:
    """The question, what was answered (an empty text if nothing was), and why something could not be read.

    `key`: of an entry in a map. `is_form`: the row may be a question of the form that everybody got.
    """
    if not isinstance(row, dict):
        if key is None:
            return _Question("", ""), (), "not an object"
        # In a form a text may be the question's words, and a list what may be chosen.
        name = "text" if isinstance(row, str) else "options" if isinstance(row, list) else "answer"
        row = {name if is_form else "answer": row}
    of_question = _of_question(key, row, is_form=is_form)
    question = _question(key, row, of_question)
    if not question.words:
        return question, (), _NO_QUESTION
    given = _given(key, row, of_question, is_form=is_form)
    texts, reason = texts_of(given)
    if texts and any(row.get(name) is False for name in FLAGS):
        texts = [FALSE]  # a box that is not ticked has its value all the same
    if texts or reason is not None:
        return question, texts, reason
    # Where a value was given of which nothing was chosen, its key is used as well.
    used = of_question if is_empty(given) else {*of_question, *_EVERY_ANSWER, str(row.get("type"))}
    reason = _unused(row, used, is_form=is_form)
    if reason is None and not is_empty(row) and of_question is _ABOUT:
        return question, (), NO_LABEL
    return question, ("",), reason


def _of_question(key: str | None, row: JsonMap, *, is_form: bool) -> Collection[str]:
    """Which keys of the row speak of the question. In an entry that has nothing else, a label may be the answer's."""
    if key is None or is_form:
        return _OF_ITEM
    return _OF_ENTRY if not (_SAY_QUESTION | _EVERY_ANSWER).isdisjoint(row) else _ABOUT


def _question(key: str | None, row: JsonMap, of_question: Collection[str]) -> _Question:
    """The question's id and words: its own, or those of an object for the question; else the key of the entry."""
    objects = [value for name in _OBJECTS if name in of_question and isinstance(value := row.get(name), dict)]
    own_ids = (row.get(name) for name in _OWN_IDS) if key is None else (key,)
    ids = (
        row.get("question_id"),
        *(first_said(each, ("question_id", *_OWN_IDS)) for each in objects),
        row.get("question") if _is_id(row) else None,
        *own_ids,
    )
    id_ = next(filter(None, map(identifier, ids)), "")
    words = (
        *(each.get(name) for each in objects for name in (*_WORDS, "text")),
        *(row.get(name) for name in (_WORDS[1:] if _is_id(row) else _WORDS) if name in of_question),
        key,
        id_,
    )
    return _Question(id_, next((each for each in words if isinstance(each, str) and not is_empty(each)), ""))


def _is_id(row: JsonMap) -> bool:
    """Whether `question` is the question's id: a number, also in digits where its words stand beside it."""
    question = row.get("question")
    if isinstance(question, str):
        return question.isascii() and question.isdigit() and not all(is_empty(row.get(name)) for name in SAID_WORDS)
    return isinstance(question, int | float) and not isinstance(question, bool)


def _given(key: str | None, row: JsonMap, of_question: Collection[str], *, is_form: bool) -> object:
    """What was answered; None for no answer, or where it may be what could be chosen."""
    given = first_said(row, _ANSWER)
    if given is not None:
        return given
    lists = [value for name in _LISTS if not is_empty(value := row.get(name))]
    flagged = next((value for value in lists if isinstance(value, list) and any(map(is_flagged, value))), None)
    if flagged is not None:
        return flagged  # the options say it themselves
    if any(name in row for name in _ANSWER):
        return None
    kind = row.get("type")  # of some platforms it names the key that has the answer
    by_type = kind if isinstance(kind, str) and kind in row and kind not in of_question else None
    if by_type not in (None, "text", *_LISTS):
        return row[by_type]
    if is_form:
        return None
    several = first_said(row, (by_type or "", *_SEVERAL) if by_type in _LISTS else _SEVERAL)
    if several is not None:
        return None if _others(row, of_question) else several
    if len(lists) == 1 and isinstance(lists[0], list) and _has_only_choices(row, of_question):
        return lists[0]
    # Else it may be the words of the question.
    is_asked_elsewhere = key is None and not _SAY_QUESTION.union(_OBJECTS).isdisjoint(row)
    return row.get("text") if is_asked_elsewhere and (kind is None or "text" in str(kind)) else None


def _others(row: JsonMap, of_question: Collection[str]) -> set[str]:
    """The keys that have something, and may say which of several values were chosen."""
    known = {*of_question, *_ABOUT, *_EVERY_ANSWER}
    return {
        name
        for name, value in row.items()
        if not (name in known or _is_of_anything(name) or is_empty(value) or (name in FLAGS and value is True))
    }


def _has_only_choices(row: JsonMap, of_question: Collection[str]) -> bool:
    """Whether a row has nothing beside its question but one list of choices, which are chosen then."""
    others = {name for name in row if name in _ABOUT or not (name in of_question or _is_of_anything(name))}
    return len(others) == 1 and others <= {*_CHOICES}


def _unused(row: JsonMap, of_question: Collection[str], *, is_form: bool) -> str | None:
    """Why a row without an answer may have one all the same: a key that was not used has something. Else None."""
    filled = {name for name, value in row.items() if name not in of_question and not is_empty(value)}
    has_answer = any(name in row for name in _ANSWER)
    if not filled.isdisjoint(_SEVERAL):
        return _BESIDE_EMPTY if has_answer else _ONLY_CHOICES if is_form else _BESIDE_OTHERS
    if any(name not in _CHOICES and not _is_of_anything(name) for name in filled):
        return _UNKNOWN_KEY
    is_said = has_answer or any(name in row for name in _SEVERAL)
    return _ONLY_CHOICES if filled & {*_CHOICES} and not is_said else None


def _is_of_anything(name: str) -> bool:
    return name.endswith(_OF_ANYTHING) and (name.endswith("_at") or not name.startswith(_OF_ANSWERS))
