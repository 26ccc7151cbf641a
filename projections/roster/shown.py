"""What an answer shows of each participant: which columns, in their order, and whether the answers to questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from projections.participants.fields import ANSWERS
from projections.roster.criteria import Criteria, ParameterRefused, Strict, takes
from projections.roster.roster import NAMES, Roster
from projections.roster.values import between_commas

_LONGEST_NAME = 60  # characters of an unknown name that are shown


def _names(value: object) -> object:
    """The names between commas, without the blanks around them."""
    names = between_commas(value)
    return [name.strip(" ") if isinstance(name, str) else name for name in names] if isinstance(names, list) else names


@dataclass(frozen=True, slots=True)
class Shown:
    """The columns of each participant, and after them the answers, if they are shown.

    `question_keys`: of these questions the answers are shown, too, as one text each.
    """

    columns: tuple[str, ...] = NAMES
    has_answers: bool = False
    question_keys: tuple[str, ...] = ()


class Included(Strict):
    """The parameter that adds what participants have beside their columns."""

    include: Literal["answers"] | None = takes(
        ANSWERS, "Also the answers to questions of each participant, as a list of question_id, question and answer."
    )


class Showing(Included):
    """The parameters that choose what is shown of participants."""

    columns: Annotated[list[str], Field(min_length=1), BeforeValidator(_names)] | None = takes(
        "one or more columns, with commas between",
        "Only these columns of each participant, in this order. Without attributes an answer is made faster.",
        examples=["bib,last_name"],
    )


def shown_of(parameters: Strict, roster: Roster, *, has_answers: bool = False) -> Shown:
    """What an endpoint's parameters show of the participants on a roster.

    `has_answers`: also where the parameters do not say so, unless they name columns. Raises `ParameterRefused`, which
    names the columns that there are not, and those that may not be seen.
    """
    asked: Any = getattr(parameters, "columns", None)
    is_included = getattr(parameters, "include", None) == ANSWERS
    if asked is None:
        return Shown(roster.names, is_included or has_answers)
    unknown = [name for name in dict.fromkeys(asked) if name not in NAMES]
    if unknown:
        raise ParameterRefused("columns", _refusal(unknown, roster.names))
    _refuse(roster, asked, "columns")
    double = next((name for name in asked if asked.count(name) > 1), None)
    if double is not None:
        raise ParameterRefused("columns", f"columns takes each column once; {double} is there more than once.")
    return Shown(tuple(asked), is_included)


def refuse_hidden(roster: Roster, criteria: Criteria) -> None:
    """Raises `ParameterRefused` if criteria filter or sort by a column that is not seen on this roster."""
    for filter_ in criteria.filters:
        _refuse(roster, [filter_.column], filter_.name)
    _refuse(roster, [key.column for key in criteria.sort], "sort")


def refuse_to_follow(roster: Roster, shown: Shown) -> None:
    """Raises `ParameterRefused` if a copy is to be kept of what no change tells.

    Through a mask an answer appears or goes when others give theirs: a copy of those who did not change would stay.
    """
    if roster.mask is not None and shown.has_answers:
        detail = (
            "Which answers this token sees, which was made without personal data, depends on what others answered, so "
            "they cannot be followed; /v1/participants and its exports take include=answers."
        )
        raise ParameterRefused("include", detail)


def _refuse(roster: Roster, columns: Sequence[str], parameter: str) -> None:
    for column in columns:
        if column not in roster.names:
            detail = f"{column} is personal, and hidden from this token, which was made without personal data."
            raise ParameterRefused(parameter, detail)


def _refusal(unknown: Sequence[str], allowed: Sequence[str]) -> str:
    if unknown == [ANSWERS]:
        return "columns takes columns; for the answers to questions there is include=answers."
    named = ", ".join(name if name.isprintable() and 0 < len(name) <= _LONGEST_NAME else "a name" for name in unknown)
    return f"columns takes columns, and {named} is none of them; there are {', '.join(allowed)}."
