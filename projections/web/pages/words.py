"""A question in words, as the title of a page says it. Pure."""

from collections.abc import Mapping

from projections.roster.answer_filters import ANSWER
from projections.roster.criteria import AnswerFilter, Criteria, Filter

_NAMES = {
    "participant_id": "id", "event_id": "event id", "event_name": "event", "sub_event_id": "sub-event id",
    "sub_event_name": "sub-event", "athlete_id": "athlete", "email": "e-mail", "dob": "date of birth",
    "zip_code": "zip code", "checked_in_at": "checked in", "registered_at": "registered", "updated_at": "changed",
    "received_at": "received", "first_position": "first position", "unlisted_at": "unlisted",
}  # fmt: skip
_SAYS = {"ne": "not ", "startswith": "begins with ", "lt": "before ", "lte": "up to ", "gt": "after ", "gte": "from "}


def name_in_words(column: str) -> str:
    """A column as people say it."""
    return column if column.startswith("attributes.") else _NAMES.get(column, column.replace("_", " "))


def parts_in_words(
    criteria: Criteria, words: str | None, questions: Mapping[str, str] | None = None
) -> list[tuple[str, str]]:
    """What selects participants, such as `sub-event Marathon` and `no bib`, each with the name of its parameter.

    `words`: that are searched for, as they were typed. `questions`: the words of questions, by their ids.
    """
    parts = [] if words is None else [(f"“{words}”", "q")]
    parts += sorted((_filter(filter_), filter_.name) for filter_ in criteria.filters)
    called = questions or {}
    return parts + [
        (_answer(filter_, called.get(filter_.question, filter_.question)), _name(filter_))
        for filter_ in criteria.answers
    ]


def _filter(filter_: Filter) -> str:
    name = name_in_words(filter_.column)
    if filter_.name == "sub_event_name":
        return str(filter_.value)
    if filter_.operator == "double":
        return f"{'' if filter_.value is True else 'no '}double {name}"
    if filter_.operator == "isnull" and filter_.column == "checked_in_at":
        return "not checked in" if filter_.value is True else "checked in"
    if filter_.operator == "isnull" and filter_.column == "unlisted_at":
        return "on Movemint's list" if filter_.value is True else "not on Movemint's list"
    if filter_.operator == "isnull":
        return f"no {name}" if filter_.value is True else f"with {name}"
    return f"{name} {_SAYS.get(filter_.operator, '')}{_value(filter_.value)}"


def _answer(filter_: AnswerFilter, question: str) -> str:
    if filter_.operator == "isnull":
        return f"{question}: {'no answer' if filter_.value is True else 'answered'}"
    return f"{question}: {'not ' if filter_.operator == 'ne' else ''}{_value(filter_.value)}"


def _name(filter_: AnswerFilter) -> str:
    return f"{ANSWER}{filter_.question}" + ("" if filter_.operator == "eq" else f"__{filter_.operator}")


def _value(value: object) -> str:
    return " or ".join(map(str, value)) if isinstance(value, tuple) else str(value)
