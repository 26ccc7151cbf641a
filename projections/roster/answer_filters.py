"""Filters by answers, read from query parameters: `answer.`, then a question's id or words, then an operator. Pure."""

from collections.abc import Hashable, Mapping

from projections.roster.criteria import MOST_COMPARED, AnswerFilter, ParameterRefused
from projections.roster.values import between_commas

ANSWER = "answer."  # the prefix of a parameter's name
_MOST_ANSWERS = 20
_OPERATORS = ("eq", "ne", "in", "isnull")


def split_answers(parameters: Mapping[str, str]) -> tuple[dict[str, str], tuple[AnswerFilter, ...]]:
    """Parameters without those that begin with `answer.`, and the filters in these. Raises `ParameterRefused`."""
    names = sorted(name for name in parameters if name.startswith(ANSWER))
    if len(names) > _MOST_ANSWERS:
        raise ParameterRefused(ANSWER, f"{ANSWER} takes up to {_MOST_ANSWERS} questions at once.")
    filters = tuple(_filter(name, parameters[name]) for name in names)
    return {name: value for name, value in parameters.items() if not name.startswith(ANSWER)}, filters


def _filter(name: str, value: str) -> AnswerFilter:
    question, separator, operator = name.removeprefix(ANSWER).rpartition("__")
    if not separator or operator not in _OPERATORS:
        question, operator = name.removeprefix(ANSWER), "eq"
    if not question or "\x00" in question + value:
        written = "in an address = is written %3D in a question, and there are no NUL characters"
        raise ParameterRefused(name, f"{ANSWER} takes a question after the dot, and its answer; {written}.")
    return AnswerFilter(question, operator, _value(name, operator, value))


def _value(name: str, operator: str, value: str) -> Hashable:
    if operator == "isnull":
        if value not in ("true", "false"):
            raise ParameterRefused(name, f"{ANSWER}QUESTION__isnull takes true or false.")
        return value == "true"
    if operator != "in":
        return value
    try:
        values = between_commas(value)
    except ValueError:
        values = None
    if not isinstance(values, list) or not 0 < len(values) <= MOST_COMPARED:
        takes = f"an answer, or up to {MOST_COMPARED} of them with commas between"
        raise ParameterRefused(name, f"{ANSWER}QUESTION__in takes {takes}.")
    return tuple(values)
