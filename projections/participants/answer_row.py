"""Reads one row of a participant's answers: which question it is about, and what was answered. Pure and total.

A row is an item of a list, an entry of a map, or a question of a form. One mechanism reads all of them: first which
keys speak of the question, then what was given, then whether a key that has something was not used. What cannot be
told apart is no answer and is named, never guessed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from ingest.delivery import identifier
from ingest.exact_json import number_as_text

_OWN_IDS = ("id", "key", "identifier")  # of the question, if it is not said whose; in an entry of a map, of the answer
_WORDS = ("question", "question_text", "title", "label", "name")
_OBJECTS = ("question", "field")  # that may be an object about the question
_ABOUT = frozenset(  # what else a row says of its question
    {
        *("type", "question_type", "field_type", "input_type", "position", "order", "sort_order", "display_order"),
        *("required", "is_required", "mandatory", "description", "help_text", "hint", "placeholder"),
    }
)
_SAY_QUESTION = frozenset({"question", "question_id", "question_text"})  # no key of a map is called so
_OF_ITEM = frozenset({*_SAY_QUESTION, *_OWN_IDS, *_WORDS, *_OBJECTS, *_ABOUT})
_OF_ENTRY = _OF_ITEM - {"name"}  # of an emergency contact `name` is the contact's
_OF_ANYTHING = ("_id", "_at", "_identifier")  # ends of keys: ids and times of other things
_OF_ANSWERS = ("answer", "choice", "option", "response", "selected", "value")  # beginnings of ids that are answers

_ANSWER = ("answer", "value", "response", "choice")
_SEVERAL = ("answers", "values")  # beside one of the above that is empty they may be what could be chosen
_CHOICES = ("choices", "options")  # by their names what could be chosen
_EVERY_ANSWER = frozenset({*_ANSWER, *_SEVERAL, *_CHOICES})
_NOT_OF_FORM = frozenset({*_SEVERAL, *_CHOICES, "text"})

_LABELS = ("answer", "label", "value")  # of an object that is an answer; the first that it has
_OTHER_LABELS = ("name", "title", "text")  # of which only one may say something
_FLAGS = ("selected", "is_selected", "checked", "is_checked", "chosen", "is_chosen")  # whether it is chosen

_OF_CHOSEN = ("selected", "selection", "checked", "chosen")  # beginnings of keys
_MAY_BE_TRUE = frozenset({*_FLAGS, "value", "answer", "required"})

_NO_QUESTION = "neither a question nor the id of one"
_UNKNOWN_KEY = "no answer under a key that is known"
_ONLY_CHOICES = "choices, of which none is said to be chosen"
_BESIDE_EMPTY = "several answers beside an empty one: which of them were given is not said"
_BESIDE_OTHERS = "several answers beside a key that is not known, which may say which of them were given"
_NO_LABEL = "an answer that is an object without a label"
_EMPTY_VALUE = "an answer that is an object whose value is empty"
_FALSE = "false"
MAY_BE_UNANSWERED = frozenset({_UNKNOWN_KEY, _ONLY_CHOICES, _BESIDE_EMPTY})
"""The reasons that a row has which may have no answer at all."""

_Row = Mapping[str, object]


class _Question(NamedTuple):
    """A question's id, empty if it has none, and its words, else its id."""

    id: str
    words: str


class _Unreadable(Exception):
    """A value is no answer; the message says why, and never shows what is in it."""


def is_row(value: _Row) -> bool:
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
    texts, reason = _texts(given)
    if texts or reason is not None:
        return question, texts, reason
    # Where a value was given of which nothing was chosen, its key is used as well.
    used = of_question if _is_empty(given) else {*of_question, *_EVERY_ANSWER, str(row.get("type"))}
    reason = _unused(row, used, is_form=is_form)
    if reason is None and row and of_question is _ABOUT:
        return question, (), _NO_LABEL
    return question, ("",), reason


def _of_question(key: str | None, row: _Row, *, is_form: bool) -> Collection[str]:
    """Which keys of the row speak of the question. In an entry that has nothing else, a label may be the answer's."""
    if key is None or is_form:
        return _OF_ITEM
    return _OF_ENTRY if not (_SAY_QUESTION | _EVERY_ANSWER).isdisjoint(row) else _ABOUT


def _question(key: str | None, row: _Row, of_question: Collection[str]) -> _Question:
    """The question's id and words: its own, or those of an object for the question; else the key of the entry."""
    objects = [value for name in _OBJECTS if name in of_question and isinstance(value := row.get(name), dict)]
    own_ids = (row.get(name) for name in _OWN_IDS) if key is None else (key,)
    ids = (
        row.get("question_id"),
        *(_first(each, ("question_id", *_OWN_IDS)) for each in objects),
        row.get("question") if _is_id(row) else None,
        *own_ids,
    )
    id_ = identifier(next((each for each in ids if not _is_empty(each)), None)) or ""
    words = (
        *(each.get(name) for each in objects for name in (*_WORDS, "text")),
        *(row.get(name) for name in (_WORDS[1:] if _is_id(row) else _WORDS) if name in of_question),
        key,
        id_,
    )
    return _Question(id_, next((each for each in words if isinstance(each, str) and not _is_empty(each)), ""))


def _is_id(row: _Row) -> bool:
    """Whether `question` is the question's id: a number, also in digits where its words stand beside it."""
    question = row.get("question")
    if isinstance(question, str):
        return question.isascii() and question.isdigit() and not _is_empty(row.get("question_text"))
    return isinstance(question, int | float) and not isinstance(question, bool)


def _given(key: str | None, row: _Row, of_question: Collection[str], *, is_form: bool) -> object:
    """What was answered; None for no answer."""
    given = _answered(key, row, of_question, is_form=is_form)
    if is_form or not _is_empty(given) or given is False:
        return given
    if any(name in row for name in _SEVERAL) and not any(name in row for name in _ANSWER):
        return None if _says_what_is_chosen(row) else _first(row, _SEVERAL)
    choices = [value for name in _CHOICES if isinstance(value := row.get(name), list)]
    if len(choices) != 1:
        return given
    others = {name for name in row if name in _ABOUT or not (name in of_question or _is_of_anything(name))}
    # Chosen, in a row that has nothing but them; else only where they say so themselves.
    return choices[0] if len(others) == 1 or any(_is_flagged(each) for each in choices[0]) else given


def _answered(key: str | None, row: _Row, of_question: Collection[str], *, is_form: bool) -> object:
    """What stands under a key of one answer, or under the key that `type` names."""
    if any(name in row for name in _ANSWER):
        return _first(row, _ANSWER)
    kind = row.get("type")  # of some platforms it names the key that has the answer
    if isinstance(kind, str) and kind in row and kind not in of_question and not (is_form and kind in _NOT_OF_FORM):
        is_asked_elsewhere = key is None and not _SAY_QUESTION.union(_OBJECTS).isdisjoint(row)
        if kind != "text" or is_asked_elsewhere:  # else `text` may be the words of the question
            return row[kind]
    return None


def _says_what_is_chosen(row: _Row) -> bool:
    """Whether a key may say which of several values were chosen."""
    return any(
        name.startswith(_OF_CHOSEN) and not isinstance(value, bool) and not _is_empty(value)
        for name, value in row.items()
    )


def _unused(row: _Row, of_question: Collection[str], *, is_form: bool) -> str | None:
    """Why a row without an answer may have one all the same: a key that was not used has something. Else None."""
    filled = {name for name, value in row.items() if name not in of_question and not _is_empty(value)}
    has_answer = any(name in row for name in _ANSWER)
    if not filled.isdisjoint(_SEVERAL):
        return _BESIDE_EMPTY if has_answer else _ONLY_CHOICES if is_form else _BESIDE_OTHERS
    if any(name not in _CHOICES and not _is_of_anything(name) for name in filled):
        return _UNKNOWN_KEY
    is_said = has_answer or any(name in row for name in _SEVERAL)
    return _ONLY_CHOICES if filled & {*_CHOICES} and not is_said else None


def _is_of_anything(name: str) -> bool:
    return name.endswith(_OF_ANYTHING) and (name.endswith("_at") or not name.startswith(_OF_ANSWERS))


def _is_empty(value: object) -> bool:
    """Whether it says nothing: null, blanks, false of something that is not known, an empty list or object."""
    return (
        value is None or value is False or value == [] or value == {} or (isinstance(value, str) and not value.strip())
    )


def _first(row: _Row, names: Iterable[str]) -> object:
    """The first that says something; false is an answer."""
    for name in names:
        value = row.get(name)
        if value is False or not _is_empty(value):
            return value
    return None


def _texts(value: object) -> tuple[list[str], str | None]:
    """Each value that was given once; and why one of them is none. Of several, those that are not chosen are none."""
    values: list[tuple[bool | None, str]] = []
    reason: str | None = None
    for each in value if isinstance(value, list) else [value]:
        try:
            values.append(_chosen(each, value) if isinstance(each, dict) else (True, _text(each)))
        except _Unreadable as error:
            reason = reason or str(error)
    if not isinstance(value, list):
        texts = [_FALSE if is_chosen is False else text for is_chosen, text in values]
    else:  # where it is said of one object, those of which it is not said are not chosen
        is_said = any(map(_is_flagged, value))
        texts = [text for is_chosen, text in values if is_chosen or (is_chosen is None and not is_said)]
    return [text for text in dict.fromkeys(texts) if not _is_empty(text)], reason


def _chosen(value: _Row, given: object) -> tuple[bool | None, str]:
    """Whether an object, or one of the list that was given, was chosen, None if that is not said, and its label."""
    if _is_row_within(value, in_list=isinstance(given, list)):
        raise _Unreadable("rows within an answer")
    flags = [flag for name in _FLAGS if (flag := value.get(name)) is not None]
    label = _label(value)
    flags += [said for name in ("value", "answer") if isinstance(said := value.get(name), bool) and label is not said]
    has_value = not (_is_empty(value.get("value")) and _is_empty(value.get("answer")))
    is_unknown = any(isinstance(said, bool) and name not in _MAY_BE_TRUE for name, said in value.items())
    if not (flags or has_value) and any(value.get(name, False) in (None, "") for name in ("value", "answer")):
        raise _Unreadable(_EMPTY_VALUE if label is not None else _NO_LABEL)
    if any(not isinstance(flag, bool) for flag in flags) or (is_unknown and not (flags or has_value)):
        raise _Unreadable("an answer of which it is not said by true or false whether it is chosen")
    return all(flags) if flags else None, _text(label)


def _is_row_within(value: _Row, *, in_list: bool) -> bool:
    """Whether an object within an answer is a row of its own. One with a title may be an option and its value."""
    if any(name in value for name in (*_SAY_QUESTION, "field")):
        return True
    is_answered = not isinstance(value.get("answer", False), bool)
    return in_list and is_answered and any(name in value for name in ("title", "name", "key"))


def _is_flagged(value: object) -> bool:
    return isinstance(value, dict) and any(value.get(name) is not None for name in _FLAGS)


def _label(value: _Row) -> object:
    label = _first({name: value.get(name) for name in _LABELS if not isinstance(value.get(name), bool)}, _LABELS)
    if label is None:
        others = [value[name] for name in _OTHER_LABELS if not _is_empty(value.get(name))]
        if len(others) > 1 and any(other != others[0] for other in others):
            raise _Unreadable("an answer that is an object of several labels")
        label = others[0] if others else _first(value, _LABELS)
    if label is None or isinstance(label, dict | list):
        raise _Unreadable(_NO_LABEL)
    return label


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else _FALSE
    if isinstance(value, int | float):
        return number_as_text(value)
    raise _Unreadable("an answer that is a list of lists")
