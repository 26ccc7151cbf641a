"""Criteria, read from query parameters: filters by column, words, answers, an order. Pure.

Each parameter is declared once, as a field of a pydantic model that both validates and documents it.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from projections.participants.fields import DECLARED, Kind
from projections.participants.keys import whole_key, words_of
from projections.roster.values import LARGEST_INTEGER, between_commas, day, moment, text, whole_number

MOST_COMPARED = 1_000
_MOST_WORDS = 20

_KINDS = {
    "participant_id": Kind.ID,
    **{field.column: field.kind for field in DECLARED.columns},
    "first_position": Kind.INTEGER,
    "position": Kind.INTEGER,
    "received_at": Kind.TIME,
    "origin": Kind.TEXT,
    "unlisted_at": Kind.TIME,
}
NEVER_EMPTY = ("participant_id", "first_position", "position", "received_at", "origin")
# The columns to sort by. All but the last three are read from an index; these are sorted for each page, which takes
# time only where many participants are left of all.
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
    "checked_in_at",
    "age",
    "team",
    "status",
    "sub_event_name",
)


class ParameterRefused(Exception):
    """A parameter is unknown or wrong; the message names it and says what it takes. `name`: as in the request."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class Filter:
    """A column, an operator ("eq", "in", "double" ...) and the value or values it is compared with."""

    column: str
    operator: str
    value: Hashable

    @property
    def name(self) -> str:
        """The name of its parameter."""
        return self.column if self.operator == "eq" else f"{self.column}__{self.operator}"


@dataclass(frozen=True, slots=True)
class AnswerFilter:
    """A question, by its id or its words, an operator ("eq", "ne", "in", "isnull") and what answers are compared with.

    `keys`: of the questions that are meant; None until the roster was asked.
    """

    question: str
    operator: str
    value: Hashable
    keys: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class SortKey:
    column: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Criteria:
    """All filters, words and answers must hold. `words`: their key; each begins a word of the participant, or all of
    them begin one of the texts.
    """

    filters: tuple[Filter, ...] = ()
    words: str | None = None
    answers: tuple[AnswerFilter, ...] = ()
    sort: tuple[SortKey, ...] = ()


Words = Annotated[str, AfterValidator(text), Field(json_schema_extra={"pattern": r"^[^\x00]*$"})]
_TYPES: dict[Kind, Any] = {
    Kind.ID: Words,
    Kind.TEXT: Words,
    Kind.INTEGER: Annotated[int, Field(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER), BeforeValidator(whole_number)],
    Kind.DATE: Annotated[date, BeforeValidator(day)],
    Kind.TIME: Annotated[datetime, BeforeValidator(moment)],
}
_TAKES = {
    Kind.ID: "a text",
    Kind.TEXT: "a text",
    Kind.INTEGER: "a whole number",
    Kind.DATE: "a date such as 1990-12-31",
    Kind.TIME: "a time such as 2026-05-01T09:30:00Z, or a date",
}
_MEANS = {
    "eq": "is this",
    "ne": "is not this, or is empty",
    "in": "is one of these",
    "isnull": "is empty, or is not",
    "startswith": "begins with this",
    "double": "others in the same event have too, whatever its case and zeros before it, or have not",
    "iexact": "is this, whatever its case, accents and width",
    "number": "is this number, with or without zeros before it",
    "lt": "is before this",
    "lte": "is this or before",
    "gt": "is after this",
    "gte": "is this or after",
}
_COMPARED = ("lt", "lte", "gt", "gte")
_COMPARED_BY_KEY = ("first_name", "last_name", "email", "team")
_YES_OR_NO = ("isnull", "double")
_OPERATORS = dict.fromkeys(Kind, ("eq", "ne", "in", "isnull", *_COMPARED)) | dict.fromkeys(
    (Kind.ID, Kind.TEXT), ("eq", "ne", "in", "isnull", "startswith")
)


def takes(what: str, description: str, **more: Any) -> Any:  # noqa: ANN401 - pydantic's own
    """The field of a parameter with the default None. `what` it takes is in its description and in a refusal."""
    return Field(None, title=what, description=f"{description} Takes {what}.", **more)


def _filter(column: str, kind: Kind, operator: str) -> Any:  # noqa: ANN401 - pydantic's own
    """The definition of a filter for `create_model`: its type and its field."""
    description = f"Whose {column} {_MEANS[operator]}."
    type_: Any = _TYPES[kind]
    what = _TAKES[kind]
    if operator in _YES_OR_NO:
        what, type_ = "true or false", Literal["true", "false"]
    elif operator == "in":
        what = f"{what}, or up to {MOST_COMPARED} of them with commas between"
        type_ = Annotated[list[type_], Field(min_length=1, max_length=MOST_COMPARED), BeforeValidator(between_commas)]
    return type_ | None, takes(what, description)


def _words(value: str) -> str:
    """The key of the words, as a whole: it may be all of a long text, of which the roster has the beginning."""
    key = whole_key(value)
    number = len(words_in(key))
    if not number:
        raise ParameterRefused("q", "q has no word: it takes words with a letter or a digit.")
    if number > _MOST_WORDS:
        raise ValueError("words")
    return key


def words_in(key: str) -> list[str]:
    """The words between the blanks of a key; a hyphen between blanks is none."""
    return [word for word in key.split(" ") if words_of(word)]


def _sort(value: str) -> str:
    parts = [part.strip(" ") for part in value.split(",")]
    columns = [part.removeprefix("-") for part in parts]
    if not set(columns) <= set(SORTABLE) or len(set(columns)) != len(columns):
        raise ValueError("columns to sort by")
    return ",".join(parts)


# Filters by the name of their parameter: column, kind, operator.
_FILTERS = {
    Filter(column, operator, None).name: (column, kind, operator)
    for column, kind in _KINDS.items()
    for operator in _OPERATORS[kind]
    if operator != "isnull" or column not in NEVER_EMPTY
}
_FILTERS |= {f"{column}__iexact": (column, Kind.TEXT, "iexact") for column in _COMPARED_BY_KEY}
_FILTERS |= {f"bib__{operator}": ("bib", Kind.INTEGER, operator) for operator in ("number", *_COMPARED)}
_FILTERS["bib__double"] = ("bib", Kind.TEXT, "double")


class Strict(BaseModel):
    """The parameters of an endpoint: any other name is an error."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, defer_build=True)


class _Searched(Strict):
    q: Annotated[Words, AfterValidator(_words)] | None = takes(
        f"up to {_MOST_WORDS} words",
        "Whoever has for each of these words one that begins with it, in names, e-mail, bib or team, in any order, "
        "whatever its case and accents.",
        examples=["anna cruz"],
    )


# The only parameters that are generated: the filters of each declared column.
_Filtered: Any = create_model(
    "Filtered", __base__=_Searched, **{name: _filter(*definition) for name, definition in _FILTERS.items()}
)


class Sorted(_Filtered):  # type: ignore[misc] # made of the declared fields
    """The parameters that select participants, and their order."""

    sort: Annotated[str, AfterValidator(_sort)] | None = takes(
        f"one or more of {', '.join(SORTABLE)}, with commas between, a - before it for descending",
        "The order. Empty values come last. By default participant_id.",
        examples=["-registered_at,last_name"],
    )


M = TypeVar("M", bound=Strict)


def read_parameters(model: type[M], parameters: Mapping[str, str]) -> M:
    """Validate parameters by a model. Raises `ParameterRefused` for the first that is wrong."""
    try:
        return model.model_validate(parameters)
    except ValidationError as error:
        [problem, *_] = error.errors(include_input=False, include_url=False, include_context=False)
        name = str(problem["loc"][0])
    field = model.model_fields.get(name)
    if field is not None:
        raise ParameterRefused(name, f"{name} takes {field.title}.")
    raise ParameterRefused(name, _unknown(name, model.model_fields))


def _unknown(name: str, known: Iterable[str]) -> str:
    column = name.partition("__")[0]
    of_column = [parameter for parameter in known if parameter == column or parameter.startswith(f"{column}__")]
    if of_column:
        return f"{_shown(name)} is no parameter; of {column} there is {', '.join(of_column)}."
    plain = [parameter for parameter in known if "__" not in parameter]
    return f"{_shown(name)} is no parameter of this address; it takes {', '.join(plain) or 'none'}."


def _shown(name: str) -> str:
    return name if name.isprintable() and 0 < len(name) <= 60 else "A name"


def criteria(parameters: Strict, answers: Sequence[AnswerFilter] = ()) -> Criteria:
    """The criteria in an endpoint's parameters, with the filters by answers."""
    filters = []
    for name in sorted(parameters.model_fields_set & _FILTERS.keys()):
        column, _, operator = _FILTERS[name]
        value = getattr(parameters, name)
        if operator in _YES_OR_NO:
            value = value == "true"
        filters.append(Filter(column, operator, tuple(value) if isinstance(value, list) else value))
    sort = getattr(parameters, "sort", None)
    keys = tuple(SortKey(part.removeprefix("-"), part.startswith("-")) for part in sort.split(",")) if sort else ()
    return Criteria(tuple(filters), getattr(parameters, "q", None), tuple(answers), keys)
