"""Reads the value of an answer: its texts, and which of several were chosen. Pure and total."""

from collections.abc import Iterable, Mapping, Sequence

from ingest.exact_json import number_as_text

_LABELS = ("answer", "label", "value")  # of an object that is an answer; the first that it has
_OTHER_LABELS = ("name", "title", "text", "other")  # of which only one may say something; `other`: in own words
_LAST_LABELS = (*_LABELS, "choice", "response")  # where no other is
_OF_LABELS = frozenset(
    {"labels", "ids", "refs", "other"}
)  # all keys of an object that has the labels of what was chosen
_OF_LIST = frozenset({"answer", "answers", "value", "values", "labels"})  # the one key of an object about several
FLAGS = ("selected", "is_selected", "checked", "is_checked", "chosen", "is_chosen")  # whether it is chosen
_LIKE_FLAGS = ("true", "false")  # texts that may say of an object whether it is chosen
_LIKE_FLAGS_IN_LISTS = frozenset({*_LIKE_FLAGS, "yes", "no", "on", "off", "0", "1"})
_MAY_BE_TRUE = frozenset({*FLAGS, "value", "answer", "required"})

NO_LABEL = "an answer that is an object without a label"
_NOT_SAID = "an answer of which it is not said by true or false whether it is chosen"
_EMPTY_VALUE = "an answer that is an object whose value is empty"
FALSE = "false"

SAID_WORDS = ("question_text", "question_title", "question_label", "question_name")
"""Keys of a row that have the words of its question, and can have nothing else."""
_ROWS_HAVE = ("question", "question_id", *SAID_WORDS, "field")
JsonMap = Mapping[str, object]


class _Unreadable(Exception):
    """A value is no answer; the message says why, and never shows what is in it."""


def texts_of(value: object) -> tuple[list[str], str | None]:
    """Each value that was given once; and why one of them is none. Of several, those that are not chosen are none."""
    value = _labels_of(value)
    if in_list := isinstance(value, list):
        value = [each for each in value if each is False or not is_empty(each)]
    elif value is not False and is_empty(value):  # also an object of nothing, as an empty choice may come
        return [], None
    values: list[tuple[bool | None, str]] = []
    reason: str | None = None
    if isinstance(value, list) and _may_be_flags(value):
        return [], _NOT_SAID
    for each in value if isinstance(value, list) else [value]:
        try:
            values.append(_chosen(each, in_list=in_list) if isinstance(each, dict) else (None, _text(each)))
        except _Unreadable as error:
            reason = reason or str(error)
    if isinstance(value, list):  # where it is said of one object, those of which it is not said are not chosen
        is_said = any(map(is_flagged, value))
        texts = [text for is_chosen, text in values if is_chosen or (is_chosen is None and not is_said)]
    else:
        texts = [FALSE if is_chosen is False else text for is_chosen, text in values]
    return [text for text in dict.fromkeys(texts) if not is_empty(text)], reason


def _labels_of(value: object) -> object:
    """What an object has that is nothing but a list of what was chosen, own words beside it; else the value."""
    if not isinstance(value, dict):
        return value
    if isinstance(labels := value.get("labels"), list) and {*value} <= _OF_LABELS:
        return [*labels, value.get("other")]
    only = next(iter(value.values())) if value.keys() <= _OF_LIST and len(value) == 1 else None
    return only if isinstance(only, list) else value


def _may_be_flags(options: Sequence[object]) -> bool:
    """Whether the values of several labelled options may say of each whether it is chosen."""
    values = [each.get("value") for each in options if isinstance(each, dict) and not _flags_of(each)]
    labels = [each.get("label", each.get("name", each.get("title"))) for each in options if isinstance(each, dict)]
    texts = {str(value).casefold() for value in values if isinstance(value, str | int) and not isinstance(value, bool)}
    return len(values) > 1 and None not in (*values, *labels) and texts <= _LIKE_FLAGS_IN_LISTS and bool(texts)


def _chosen(value: JsonMap, *, in_list: bool) -> tuple[bool | None, str]:
    """Whether an object, or one of a list, was chosen, None if that is not said, and its label."""
    if _is_row_within(value, in_list=in_list):
        raise _Unreadable("rows within an answer")
    flags = _flags_of(value)
    if any(not isinstance(flag, bool) for flag in flags):
        raise _Unreadable(_NOT_SAID)
    if in_list and flags and not all(flags):
        return False, ""
    label = _label(value)
    if not flags:
        _refuse_unclear(value, label, in_list=in_list)
    return all(flags) if flags else None, _text(label)


def _refuse_unclear(value: JsonMap, label: object, *, in_list: bool) -> None:
    """Raises where an object may say by something that is not known whether it is chosen, or has an empty value."""
    given = [value.get(name) for name in ("value", "answer")]
    has_value = not all(map(is_empty, given))
    if not has_value and any(value.get(name, False) in (None, "") for name in ("value", "answer")):
        raise _Unreadable(_EMPTY_VALUE)
    is_unknown = any(isinstance(said, bool) and name not in _MAY_BE_TRUE for name, said in value.items())
    is_like_flag = any(said != label and str(said).casefold() in _LIKE_FLAGS for said in given if isinstance(said, str))
    if is_like_flag or (is_unknown and (in_list or not has_value)):
        raise _Unreadable(_NOT_SAID)


def _flags_of(value: JsonMap) -> list[object]:
    """What an object says of whether it is chosen; a value of true or false beside a label says so, too."""
    flags = [flag for name in FLAGS if (flag := value.get(name)) is not None]
    labels = (value.get(name) for name in (*_LABELS, *_OTHER_LABELS))
    has_label = any(not isinstance(label, bool) and not is_empty(label) for label in labels)
    return flags + [said for name in ("value", "answer") if isinstance(said := value.get(name), bool) and has_label]


def _is_row_within(value: JsonMap, *, in_list: bool) -> bool:
    """Whether an object within an answer is a row of its own. One with a title may be an option and its value."""
    if any(name in value for name in _ROWS_HAVE):
        return True
    is_answered = not isinstance(value.get("answer", False), bool)
    return in_list and is_answered and any(name in value for name in ("title", "name", "key", "label"))


def is_flagged(value: object) -> bool:
    return isinstance(value, dict) and any(isinstance(value.get(name), bool) for name in FLAGS)


def _label(value: JsonMap) -> object:
    label = first_said({name: value.get(name) for name in _LABELS if not isinstance(value.get(name), bool)}, _LABELS)
    if label is None:
        others = [value[name] for name in _OTHER_LABELS if not is_empty(value.get(name))]
        if len(others) > 1 and any(other != others[0] for other in others):
            raise _Unreadable("an answer that is an object of several labels")
        label = others[0] if others else first_said(value, _LAST_LABELS)
    if label is None or isinstance(label, dict | list):
        raise _Unreadable(NO_LABEL)
    return label


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else FALSE
    if isinstance(value, int | float):
        return number_as_text(value)
    raise _Unreadable("an answer that is a list of lists")


def is_empty(value: object) -> bool:
    """Whether it says nothing: null, blanks, false of something that is not known; a list or an object of nothing."""
    if isinstance(value, dict | list):
        within = value.values() if isinstance(value, dict) else value
        return all(each is not False and _is_nothing(each) for each in within)
    return value is False or _is_nothing(value)


def _is_nothing(value: object) -> bool:
    return value is None or value == [] or value == {} or (isinstance(value, str) and not value.strip())


def first_said(row: JsonMap, names: Iterable[str]) -> object:
    """The first that says something; false is an answer."""
    for name in names:
        value = row.get(name)
        if value is False or not is_empty(value):
            return value
    return None
