"""What can be asked of the roster: filters by column, words, answers, an order. Read from names and values. Pure.

Each name and what it takes is declared once, as a field of a model: what refuses a value also describes it.
"""

import csv
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from projections.participants.fields import DECLARED, Kind

_LARGEST_INTEGER = 2**63 - 1
_MOST_VALUES = 1_000
_MOST_ANSWERS = 20
_MOST_WORDS = 20
ANSWER = "answer."  # and the question follows

_KINDS = {
    "participant_id": Kind.ID,
    **{field.column: field.kind for field in DECLARED.columns},
    "first_position": Kind.INTEGER,
    "position": Kind.INTEGER,
    "received_at": Kind.TIME,
}
NEVER_EMPTY = ("participant_id", "first_position", "position", "received_at")
# Those with an index that begins with them.
SORTABLE = (
    "participant_id",
    "event_id",
    "last_name",
    "first_name",
    "email",
    "bib",
    "registered_at",
    "updated_at",
    "position",
)


class ParameterRefused(Exception):
    """Something is asked for that cannot be; the message names it and says what it takes. `name` is as it was given."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class Filter:
    """A column, an operator ("eq", "in", "gte" ...) and the value or values it is compared with."""

    column: str
    operator: str
    value: Hashable


@dataclass(frozen=True, slots=True)
class SortKey:
    column: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Criteria:
    """All of these must hold. `words`: each begins a word of the participant. `answers`: question and answer."""

    filters: tuple[Filter, ...] = ()
    words: str | None = None
    answers: tuple[tuple[str, str], ...] = ()
    sort: tuple[SortKey, ...] = ()


def text(value: str) -> str:
    """A text that the database can be asked for."""
    if "\x00" in value:
        raise ValueError("a text without NUL characters")
    return value


def _integer(value: object) -> object:
    if isinstance(value, str):
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and abs(int(value)) <= _LARGEST_INTEGER):
            raise ValueError("a whole number")
        return int(value)
    return value


def _day(value: object) -> object:
    if isinstance(value, str):
        try:
            # fromisoformat also takes forms nobody writes, such as 20261231 and 2026-W01-1.
            return date.fromisoformat(value) if len(value) == 10 and value[4] == value[7] == "-" else None
        except ValueError:
            return None
    return value


def moment(value: object) -> object:
    """A time from its ISO form; one without a zone is in UTC, a date is its midnight."""
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value.upper()) if value[4:5] == value[7:8] == "-" else None
            return None if found is None else (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
    return value


def _several(value: object) -> object:
    if isinstance(value, str):
        try:
            [found] = csv.reader([value], strict=True)
        except (csv.Error, ValueError):
            raise ValueError("values with commas between them") from None
        return found
    return value


Words = Annotated[str, AfterValidator(text), Field(json_schema_extra={"pattern": r"^[^\x00]*$"})]
_TYPES: dict[Kind, Any] = {
    Kind.ID: Words,
    Kind.TEXT: Words,
    Kind.INTEGER: Annotated[int, BeforeValidator(_integer), Field(ge=-_LARGEST_INTEGER, le=_LARGEST_INTEGER)],
    Kind.DATE: Annotated[date, BeforeValidator(_day)],
    Kind.TIME: Annotated[datetime, BeforeValidator(moment)],
}
_TAKES = {
    Kind.ID: "a text",
    Kind.TEXT: "a text",
    Kind.INTEGER: "a whole number",
    Kind.DATE: "a date such as 1990-12-31",
    Kind.TIME: "a time such as 2026-05-01T09:30:00Z, or a date",
}
_WHAT = {
    "eq": "is this",
    "ne": "is not this, or is empty",
    "in": "is one of these",
    "isnull": "is empty, or is not",
    "startswith": "begins with this",
    "lt": "is before this",
    "lte": "is this or before",
    "gt": "is after this",
    "gte": "is this or after",
}
_COMPARED = ("lt", "lte", "gt", "gte")
_OPERATORS = dict.fromkeys(Kind, ("eq", "ne", "in", "isnull", *_COMPARED)) | dict.fromkeys(
    (Kind.ID, Kind.TEXT), ("eq", "ne", "in", "isnull", "startswith")
)


def takes(what: str, description: str, **more: Any) -> Any:  # noqa: ANN401 - pydantic's own
    """A parameter's default, which is None, and its description. `what` it takes is told if something else is given."""
    return Field(None, title=what, description=f"{description} Takes {what}.", **more)


def _filter(column: str, kind: Kind, operator: str) -> Any:  # noqa: ANN401 - pydantic's own
    """The definition of a filter for `create_model`."""
    description = f"Whose {column} {_WHAT[operator]}."
    type_: Any = _TYPES[kind]
    what = _TAKES[kind]
    if operator == "isnull":
        what, type_ = "true or false", Literal["true", "false"]
    elif operator == "in":
        what = f"{what}, or up to {_MOST_VALUES} of them with commas between"
        type_ = Annotated[list[type_], BeforeValidator(_several), Field(min_length=1, max_length=_MOST_VALUES)]
    return type_ | None, takes(what, description)


def _words(value: str) -> str:
    """The words alone: a hyphen between blanks is none."""
    found = [word for word in value.split() if any(map(str.isalnum, word))]
    if not 0 < len(found) <= _MOST_WORDS:
        raise ValueError("words")
    return " ".join(found)


def _sort(value: str) -> str:
    columns = [part.removeprefix("-") for part in value.split(",")]
    if not set(columns) <= set(SORTABLE) or len(set(columns)) != len(columns):
        raise ValueError("columns to sort by")
    return value


_NAMES = {
    column if operator == "eq" else f"{column}__{operator}": (column, kind, operator)
    for column, kind in _KINDS.items()
    for operator in _OPERATORS[kind]
    if operator != "isnull" or column not in NEVER_EMPTY
}


class Strict(BaseModel):
    """The parameters of an endpoint: any other name is an error."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class _Searched(Strict):
    q: Annotated[Words, AfterValidator(_words)] | None = takes(
        f"up to {_MOST_WORDS} words",
        "Whoever has for each of these words one that begins with it, in names, e-mail, bib or team, in any order, "
        "whatever its case and accents.",
        examples=["anna cruz"],
    )


# The only parameters that are not written down: those of each declared column.
_Filtered: Any = create_model(
    "Filtered", __base__=_Searched, **{name: _filter(*definition) for name, definition in _NAMES.items()}
)


class Sorted(_Filtered):  # type: ignore[misc] # made of the declared fields
    """What finds participants, and their order."""

    sort: Annotated[str, AfterValidator(_sort)] | None = takes(
        f"one or more of {', '.join(SORTABLE)}, with commas between, a - before it for descending",
        "The order. Empty values come last. By default participant_id.",
        examples=["-registered_at,last_name"],
    )


M = TypeVar("M", bound=Strict)


def read_parameters(model: type[M], given: Mapping[str, str]) -> M:
    """The parameters by a model. Raises `Refused`, which names the first that is wrong and what it takes."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        [problem, *_] = error.errors(include_input=False, include_url=False, include_context=False)
        name = str(problem["loc"][0])
    field = model.model_fields.get(name)
    if field is not None:
        raise ParameterRefused(name, f"{name} takes {field.title}.")
    raise ParameterRefused(name, _unknown(name, model.model_fields))


def _unknown(name: str, known: Iterable[str]) -> str:
    column = name.partition("__")[0]
    of_column = [one for one in known if one == column or one.startswith(f"{column}__")]
    if of_column:
        return f"{_shown(name)} is no parameter; of {column} there is {', '.join(of_column)}."
    plain = [one for one in known if "__" not in one]
    return f"{_shown(name)} is no parameter of this address; it takes {', '.join(plain) or 'none'}."


def _shown(name: str) -> str:
    return name if name.isprintable() and 0 < len(name) <= 60 else "A name"


def criteria(asked: Strict, answers: Mapping[str, str]) -> Criteria:
    """What was asked, as it is given to the database."""
    filters = []
    for name in sorted(asked.model_fields_set & _NAMES.keys()):
        column, _, operator = _NAMES[name]
        value = getattr(asked, name)
        if operator == "isnull":
            value = value == "true"
        filters.append(Filter(column, operator, tuple(value) if isinstance(value, list) else value))
    sort = getattr(asked, "sort", None)
    keys = tuple(SortKey(part.removeprefix("-"), part.startswith("-")) for part in sort.split(",")) if sort else ()
    return Criteria(tuple(filters), getattr(asked, "q", None), tuple(sorted(answers.items())), keys)


def split_answers(given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Parameters without those about answers, and these by question. Raises `Refused`."""
    answers = {name.removeprefix(ANSWER): value for name, value in given.items() if name.startswith(ANSWER)}
    if len(answers) > _MOST_ANSWERS:
        raise ParameterRefused(ANSWER, f"{ANSWER} takes up to {_MOST_ANSWERS} questions at once.")
    for question, value in answers.items():
        if not question or "\x00" in question + value:
            raise ParameterRefused(
                ANSWER + question, f"{ANSWER} takes a question after the dot, and its answer; no NUL characters."
            )
    return {name: value for name, value in given.items() if not name.startswith(ANSWER)}, answers
