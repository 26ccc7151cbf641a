"""A question in words, as the title of a page says it. Pure."""

from projections.roster.criteria import AnswerFilter, Criteria, Filter

_NAMES = {
    "participant_id": "id", "event_id": "event id", "event_name": "event", "sub_event_id": "sub-event id",
    "sub_event_name": "sub-event", "athlete_id": "athlete", "dob": "date of birth", "zip_code": "zip code",
    "checked_in_at": "checked in", "registered_at": "registered", "updated_at": "changed", "received_at": "received",
    "first_position": "first position",
}  # fmt: skip
_SAYS = {"ne": "not ", "startswith": "begins with ", "lt": "before ", "lte": "up to ", "gt": "after ", "gte": "from "}


def name_in_words(column: str) -> str:
    """A column as people say it."""
    return column if column.startswith("attributes.") else _NAMES.get(column, column.replace("_", " "))


def question_in_words(criteria: Criteria) -> str:
    """What selects participants, such as `sub-event Marathon, no bib`; empty if nothing does."""
    parts = [] if criteria.words is None else [f"“{criteria.words}”"]
    parts += sorted(_filter(filter_) for filter_ in criteria.filters)
    parts += [_answer(filter_) for filter_ in criteria.answers]
    return ", ".join(parts)


def value_in_words(parameter: str, value: str) -> str:
    """A parameter of an address in words."""
    if parameter == "q":
        return f"“{value}”"
    column, _, operator = parameter.partition("__")
    if operator == "isnull":
        return _filter(Filter(column, operator, value == "true"))
    return _filter(Filter(column, operator or "eq", value))


def _filter(filter_: Filter) -> str:
    name = name_in_words(filter_.column)
    if filter_.operator == "isnull":
        return f"no {name}" if filter_.value is True else f"with {name}"
    return f"{name} {_SAYS.get(filter_.operator, '')}{_value(filter_.value)}"


def _answer(filter_: AnswerFilter) -> str:
    if filter_.operator == "isnull":
        return f"{filter_.question}: {'no answer' if filter_.value is True else 'answered'}"
    return f"{filter_.question}: {'not ' if filter_.operator == 'ne' else ''}{_value(filter_.value)}"


def _value(value: object) -> str:
    return " or ".join(map(str, value)) if isinstance(value, tuple) else str(value)
