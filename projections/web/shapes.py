"""The shapes of what is asked and answered. What refuses a parameter and what writes an answer also describes it."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, NotRequired

from pydantic import BeforeValidator, Field, TypeAdapter, create_model
from sqlalchemy import types
from sqlalchemy.dialects.postgresql import JSONB
from typing_extensions import TypedDict

from projections.participants.table import COLUMNS
from projections.roster.criteria import Sorted, Strict, Words, moment, takes

LARGEST_PAGE = 1000
DEFAULT_PAGE = 100
LARGEST_EVENTS_PAGE = 100
LONGEST_WAIT = 60
_LARGEST = 2**63 - 1


def _whole(value: object) -> object:
    """Digits and nothing else: no sign, no blank, no digits of other alphabets."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 20):
        raise ValueError("a whole number")
    return value


def _position_or_time(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    found = moment(value)
    if found is None:
        raise ValueError("a position or a time")
    return found


def _limit(most: int) -> Any:  # noqa: ANN401 - pydantic's definitions
    type_ = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=most)]
    return takes(f"a whole number from 1 to {most}", type_, "How many at the most.", examples=[10])


Position = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=_LARGEST)]
_AS_OF = takes(
    "a position, or a time such as 2026-05-01T09:30:00Z",
    Annotated[int | datetime, BeforeValidator(_position_or_time)],
    "The roster as it was when it reflected this position, or what had arrived by this time.",
    examples=["2026-05-01T09:30:00Z"],
)
_MIN_POSITION = takes(
    "a position",
    Position,
    "Wait, up to ten seconds, until the roster reflects this position: the one that the webhook answered with.",
    examples=[0],
)
_CURSOR = takes("the `next` of an answer to the same question with the same token", Words, "Where the page begins.")
_COUNT = takes(
    "exact or estimated",
    Literal["exact", "estimated"],
    "Also say how many there are on all pages: exact looks at all of them, estimated asks the planner.",
)
_WAIT = takes(
    f"a number of seconds from 0 to {LONGEST_WAIT}",
    Annotated[int, BeforeValidator(_whole), Field(ge=0, le=LONGEST_WAIT)],
    "If nothing has changed, answer only once something has, or after so long.",
    examples=[0],
)
_AFTER = takes(
    "a position, or the `after` of an earlier answer",
    Annotated[str, Field(pattern=r"^[0-9]{1,18}(\.[0-9]{1,18}\.[0-9]{1,18})?$")],
    "The place after which to go on; 0 is the beginning.",
    examples=["0"],
)
_FORMULAS = takes(
    "keep",
    Literal["keep"],
    "For programs: leave texts as they are. By default an apostrophe is put before those that a spreadsheet would run.",
)

Nothing: type[Strict] = create_model("Nothing", __base__=Strict)
OfNow: type[Strict] = create_model("OfNow", __base__=Strict, min_position=_MIN_POSITION)
OfOne: type[Strict] = create_model("OfOne", __base__=OfNow, as_of=_AS_OF)
ListAsked: type[Strict] = create_model(
    "ListAsked",
    __base__=Sorted,
    limit=_limit(LARGEST_PAGE),
    cursor=_CURSOR,
    count=_COUNT,
    as_of=_AS_OF,
    min_position=_MIN_POSITION,
)
EventsAsked: type[Strict] = create_model(
    "EventsAsked", __base__=OfOne, limit=_limit(LARGEST_EVENTS_PAGE), cursor=_CURSOR
)
HistoryAsked: type[Strict] = create_model("HistoryAsked", __base__=OfNow, limit=_limit(LARGEST_PAGE), cursor=_CURSOR)
ChangesAsked: type[Strict] = create_model(
    "ChangesAsked", __base__=OfNow, after=_AFTER, wait=_WAIT, limit=_limit(LARGEST_PAGE), cursor=_CURSOR
)
ExportAsked: type[Strict] = create_model("ExportAsked", __base__=Sorted, as_of=_AS_OF, min_position=_MIN_POSITION)
SheetAsked: type[Strict] = create_model("SheetAsked", __base__=ExportAsked, formulas=_FORMULAS)

_JSON_TYPES: dict[type[types.TypeEngine[Any]], Any] = {
    types.Text: str,
    types.Integer: int,
    types.BigInteger: int,
    types.Date: date,
    types.DateTime: datetime,
    JSONB: dict[str, Any],
}


def _type_of(column: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's column, pydantic's type
    found = _JSON_TYPES[type(column.type)]
    return found | None if column.nullable else found


Participant: Any = TypedDict("Participant", {column.name: _type_of(column) for column in COLUMNS})  # type: ignore[misc]


class Participants(TypedDict):
    data: list[Participant]
    next: str | None
    position: int
    count: NotRequired[int]


class ChangeOfOne(TypedDict):
    position: int
    change: Literal["upserted", "removed", "reset"]
    participant_id: str | None
    participant: Participant | None


class ChangesFound(TypedDict):
    data: list[ChangeOfOne]
    next: str | None
    position: int
    after: str


class Difference(TypedDict("Difference", {"from": Any, "to": Any})):  # "from" is a keyword
    pass


class HeldState(TypedDict):
    position: int
    until_position: int | None
    received_at: datetime
    changed: dict[str, Difference]
    participant: Participant


class History(TypedDict):
    data: list[HeldState]
    next: str | None
    position: int


class Tally(TypedDict):
    participants: int


class ByStatus(Tally):
    status: str | None


class ByGender(Tally):
    gender: str | None


class ByDay(Tally):
    day: date


class BySubEvent(Tally):
    sub_event_id: str | None
    sub_event_name: str | None


class EventCounts(TypedDict):
    event_id: str
    event_name: str | None
    participants: int
    statuses: list[ByStatus]
    sub_events: list[BySubEvent]
    genders: list[ByGender]
    days: list[ByDay]


class Events(TypedDict):
    data: list[EventCounts]
    next: str | None
    position: int


class OfSource(TypedDict):
    source: str
    head: int
    checkpoints: dict[str, int]
    lag: int
    quarantined: int


class Status(TypedDict):
    sources: list[OfSource]


class Problem(TypedDict):
    type: str
    title: str
    status: int
    detail: str
    request_id: str | None
    parameter: NotRequired[str]


ANSWERS: dict[str, TypeAdapter[Any]] = {
    shape.__name__: TypeAdapter(shape)
    for shape in (Participant, Participants, ChangesFound, History, EventCounts, Events, Status, Problem)
}
