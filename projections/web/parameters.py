"""The parameters of each endpoint, as pydantic models that both validate and document them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from projections.roster.criteria import MOST_COMPARED, Sorted, Strict, Words, takes
from projections.roster.export.formats import Dialect, Format
from projections.roster.shown import Included, Showing
from projections.roster.values import between_commas, moment

LARGEST_PAGE = 1000
DEFAULT_PAGE = 100
LARGEST_EVENTS_PAGE = 100
LONGEST_WAIT = 60
_LARGEST_POSITION = 2**63 - 1


def _whole(value: object) -> object:
    """Only ASCII digits: no sign, no blank, no digits of other alphabets."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 20):
        raise ValueError("a whole number")
    return value


def _position_or_time(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    time = moment(value)
    if time is None:
        raise ValueError("a position or a time")
    return time


def _limit(most: int) -> Any:  # noqa: ANN401 - pydantic's own
    return takes(f"a whole number from 1 to {most}", "How many at the most.", examples=[10])


Position = Annotated[int, Field(ge=0, le=_LARGEST_POSITION), BeforeValidator(_whole)]
PageSize = Annotated[int, Field(ge=1, le=LARGEST_PAGE), BeforeValidator(_whole)]
EventsPageSize = Annotated[int, Field(ge=1, le=LARGEST_EVENTS_PAGE), BeforeValidator(_whole)]
QuestionNames = Annotated[list[Words], Field(min_length=1, max_length=MOST_COMPARED), BeforeValidator(between_commas)]
Moment = Annotated[int | datetime, BeforeValidator(_position_or_time)]
PLACE = r"^[0-9]{1,18}(\.[0-9]{1,18}\.[0-9]{1,18}(-[0-9]{1,18}\.[0-9]{1,18}-[0-9a-f]{16})?)?$"
PlaceText = Annotated[str, Field(pattern=PLACE)]

_LIMIT = _limit(LARGEST_PAGE)
_AS_OF = takes(
    "a position, or a time such as 2026-05-01T09:30:00Z, or a date",
    "The roster as it was when it reflected this position, or what had arrived by this time.",
    examples=["2026-05-01T09:30:00Z"],
)
_MIN_POSITION = takes(
    "a position",
    "Wait, up to ten seconds, until the roster reflects this position: the one that the webhook answered with.",
    examples=[0],
)
_CURSOR = takes("the `next` of an answer to the same question with the same token", "Where the page begins.")
_COUNT = takes(
    "exact or estimated",
    "Also say how many there are on all pages: exact looks at all of them, estimated asks the planner.",
)
_WAIT = takes(
    f"a number of seconds from 0 to {LONGEST_WAIT}",
    "If nothing has changed, answer only once something has, or after so long.",
    examples=[0],
)
_AFTER = takes(
    "a position, or the `after` of an earlier answer",
    "The place after which to go on; 0 is the beginning.",
    examples=["0"],
)
_ANSWERS = takes(
    "columns, one-hot or rows",
    "The answers to the questions of the events that are asked for. columns: one column per question, several answers "
    "with `; ` between. one-hot: the same, but where somebody gave several answers one column per answer, of 1 or 0. "
    "rows: one row per participant, question and answer, beside participant_id or the columns that are asked for.",
)
QUESTIONS = takes(
    "one or more questions, by their ids or words, with commas between",
    "Only the answers to these questions; as columns unless `answers` says otherwise.",
    examples=["Shirt size"],
)
_FORMULAS = takes(
    "keep",
    "For programs: leave texts as they are. By default an apostrophe is put before those that a spreadsheet would run.",
)


_SEPARATOR = takes(
    "one of , ; | and tab",
    "What separates the cells. A spreadsheet of a country that writes 1,5 expects a semicolon.",
)
_DECIMAL = takes(
    ". or ,", "What a number's decimals begin with, in columns of numbers that have any. Texts are left as they are."
)
_BOM = takes("true or false", "Whether the file begins with a byte order mark, by which Excel knows that it is UTF-8.")


class Nothing(Strict):
    """An endpoint without parameters."""


class OfNow(Strict):
    min_position: Position | None = _MIN_POSITION


class OfOne(OfNow):
    as_of: Moment | None = _AS_OF


class ParticipantParameters(OfOne, Showing):
    """Of one participant."""


class ListParameters(Sorted, Showing):
    limit: PageSize | None = _LIMIT
    cursor: Words | None = _CURSOR
    count: Literal["exact", "estimated"] | None = _COUNT
    as_of: Moment | None = _AS_OF
    min_position: Position | None = _MIN_POSITION


class EventsParameters(OfOne):
    limit: Annotated[int, Field(ge=1, le=LARGEST_EVENTS_PAGE), BeforeValidator(_whole)] | None = _limit(
        LARGEST_EVENTS_PAGE
    )
    cursor: Words | None = _CURSOR


class QuestionsParameters(EventsParameters):
    event_id: Words | None = takes("a text", "Only the questions of this event.", examples=["12"])


class HistoryParameters(OfNow, Included):
    limit: PageSize | None = _LIMIT
    cursor: Words | None = _CURSOR


class ChangesParameters(OfNow, Showing):
    after: PlaceText | None = _AFTER
    wait: Annotated[int, Field(ge=0, le=LONGEST_WAIT), BeforeValidator(_whole)] | None = _WAIT
    limit: PageSize | None = _LIMIT
    cursor: Words | None = _CURSOR


class ExportParameters(Sorted, Showing):
    answers: Literal["columns", "one-hot", "rows"] | None = _ANSWERS
    questions: QuestionNames | None = QUESTIONS
    as_of: Moment | None = _AS_OF
    min_position: Position | None = _MIN_POSITION

    @property
    def form(self) -> str | None:
        """The form of the answers; None: not by question."""
        return self.answers or ("columns" if self.questions else None)

    @property
    def dialect(self) -> Dialect:
        return Dialect()


class SheetParameters(ExportParameters):
    formulas: Literal["keep"] | None = _FORMULAS

    @property
    def dialect(self) -> Dialect:
        return Dialect(keeps_formulas=self.formulas == "keep")


class DialectParameters(Strict):
    """How CSV is written, of the roster and of reports alike."""

    formulas: Literal["keep"] | None = _FORMULAS
    separator: Literal[",", ";", "|", "tab"] | None = _SEPARATOR
    decimal: Literal[".", ","] | None = _DECIMAL
    bom: Literal["true", "false"] | None = _BOM

    @property
    def dialect(self) -> Dialect:
        separator = "\t" if self.separator == "tab" else self.separator or ","
        return Dialect(separator, self.decimal or ".", self.bom == "true", self.formulas == "keep")


class CsvParameters(DialectParameters, ExportParameters):
    """The parameters of an export and of CSV."""


def export_parameters(format_: Format) -> type[ExportParameters]:
    """What an export in this format takes."""
    if format_.name == "csv":
        return CsvParameters
    return SheetParameters if format_.is_for_sheets else ExportParameters
