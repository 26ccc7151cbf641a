"""The shapes of the answers, for the document; tests hold every answer to them."""

from datetime import date, datetime
from typing import Any, Literal, NotRequired

from pydantic import TypeAdapter
from sqlalchemy import types
from sqlalchemy.dialects.postgresql import JSONB
from typing_extensions import TypedDict

from projections.participants.fields import ANSWERS
from projections.participants.table import PARTICIPANT_COLUMNS

_JSON_TYPES: dict[type[types.TypeEngine[Any]], Any] = {
    types.Text: str,
    types.Integer: int,
    types.BigInteger: int,
    types.Date: date,
    types.DateTime: datetime,
    JSONB: dict[str, Any],
}


def _type_of(column: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's column, pydantic's type
    type_ = _JSON_TYPES[type(column.type)]
    return type_ | None if column.nullable else type_


class AnswerGiven(TypedDict):
    question_id: str | None
    question: str
    answer: str | None


# `columns` and `include` decide which are there.
_OF_PARTICIPANT = {column.name: _type_of(column) for column in PARTICIPANT_COLUMNS}
Participant: Any = TypedDict("Participant", {**_OF_PARTICIPANT, ANSWERS: list[AnswerGiven]}, total=False)  # type: ignore[misc]


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
    time_zone: str
    starts_on: date | None
    previous_event_id: str | None
    participants: int
    statuses: list[ByStatus]
    sub_events: list[BySubEvent]
    genders: list[ByGender]
    days: list[ByDay]


class Events(TypedDict):
    data: list[EventCounts]
    next: str | None
    position: int


class QuestionCounts(TypedDict):
    question_id: str | None
    question: str
    asked: int
    answered: int


class Form(TypedDict):
    event_id: str | None
    questions: list[QuestionCounts]


class Questions(TypedDict):
    data: list[Form]
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
    code: NotRequired[str]


SHAPES: dict[str, TypeAdapter[Any]] = {
    shape.__name__: TypeAdapter(shape)
    for shape in (Participant, Participants, ChangesFound, History, EventCounts, Events, Questions, Status, Problem)
}
