"""What an answer shows of each participant: which columns, in their order, and whether the answers to questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from projections.participants.fields import ANSWERS
from projections.roster.criteria import ParameterRefused, Strict, between_commas, takes
from projections.roster.roster import NAMES

_NAMED = Field(min_length=1, json_schema_extra={"items": {"enum": list(NAMES)}})
_LONGEST_NAME = 60  # characters of an unknown name that are shown


@dataclass(frozen=True, slots=True)
class Shown:
    """The columns of each participant, and after them the answers, if they are shown."""

    columns: tuple[str, ...] = NAMES
    has_answers: bool = False


class Included(Strict):
    """The parameter that adds what participants have beside their columns."""

    include: Literal["answers"] | None = takes(
        ANSWERS, "Also the answers to questions of each participant, as a list of question_id, question and answer."
    )


class Showing(Included):
    """The parameters that choose what is shown of participants."""

    columns: Annotated[list[str], _NAMED, BeforeValidator(between_commas)] | None = takes(
        "one or more columns, with commas between",
        "Only these columns of each participant, in this order. Without attributes an answer is made faster.",
        examples=[["bib", "last_name"]],
    )


def shown_of(parameters: Strict, allowed: Sequence[str] = NAMES) -> Shown:
    """What an endpoint's parameters show, of the columns that are allowed.

    Raises `ParameterRefused`, which names the columns that there are not.
    """
    asked: Any = getattr(parameters, "columns", None)
    has_answers = getattr(parameters, "include", None) == ANSWERS
    if asked is None:
        return Shown(tuple(allowed), has_answers)
    unknown = [name for name in dict.fromkeys(asked) if name not in allowed]
    if unknown:
        raise ParameterRefused("columns", _refusal(unknown, allowed))
    double = next((name for name in asked if asked.count(name) > 1), None)
    if double is not None:
        raise ParameterRefused("columns", f"columns takes each column once; {double} is there more than once.")
    return Shown(tuple(asked), has_answers)


def _refusal(unknown: Sequence[str], allowed: Sequence[str]) -> str:
    if unknown == [ANSWERS]:
        return "columns takes columns; for the answers to questions there is include=answers."
    named = ", ".join(name if name.isprintable() and 0 < len(name) <= _LONGEST_NAME else "a name" for name in unknown)
    return f"columns takes columns, and {named} is none of them; there are {', '.join(allowed)}."
