"""What happened to a participant: its newest states, each with what it changed, and what changed nothing, in words."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import Any

from pydantic_core import from_json, to_json

from ingest.log.own_types import PARTICIPANT_OBSERVED, PARTICIPANT_UNLISTED
from projections.participants.fields import ANSWERS, DECLARED, Kind
from projections.participants.fold import REGISTERED
from projections.roster.deliveries import DeliveryAbout
from projections.roster.roster import Roster
from projections.web.endpoint import EndpointRequest
from projections.web.endpoints import get_history
from projections.web.parameters import LARGEST_PAGE, HistoryParameters
from projections.web.question import Question

MOST_STATES = 100
_OBJECT = "attributes."
_TIMES = frozenset(field.column for field in DECLARED.columns if field.kind is Kind.TIME)
_READ_FROM = DECLARED.keys  # the keys by column


@dataclass(frozen=True, slots=True)
class ChangedValue:
    """What was one value and is another, as a person reads them; a time is left to the page, `is_time`."""

    name: str
    was: str | None
    now: str | None
    is_time: bool = False


@dataclass(frozen=True, slots=True)
class Happened:
    """The newest states, the newest first, with their changes. `left_out`: how many older ones there are."""

    states: Sequence[Mapping[str, Any]]
    left_out: int


async def happened(question: Question, request: EndpointRequest[Any], deliveries: Sequence[DeliveryAbout]) -> Happened:
    """What happened to the participant of the request. `deliveries`: about the participant, the oldest first."""
    asked = replace(request, parameters=HistoryParameters(limit=LARGEST_PAGE), after=None, is_last=True)
    newest: deque[dict[str, Any]] = deque(maxlen=MOST_STATES)
    number = 0
    while True:
        page = await get_history(question, asked)
        states = [from_json(state) for state in page.data if isinstance(state, bytes)]
        states = [state for state in states if state["position"] <= question.position]
        newest.extend(states)
        number += len(states)
        if page.following is None:  # a page of large states ends early, and the next one may know of newer states
            break
        asked = replace(asked, after=page.following)
    states = [{**state, "changes": [*changed_values(state["changed"])]} for state in newest]
    left_out = number - len(newest)
    return Happened([*reversed(_with_deliveries(states, deliveries, question.roster))], left_out)


def _with_deliveries(
    states: Sequence[dict[str, Any]], deliveries: Sequence[DeliveryAbout], roster: Roster
) -> list[dict[str, Any]]:
    """States with how often their delivery came again, and between them the deliveries that made none, in order.

    A token of some races sees of the latter those that say that they are of one of them.
    """
    by_position = {state["position"]: state for state in states}
    entries = [{**state, "delivery": None, "why": "state"} for state in states]
    for delivery in deliveries:
        if delivery.position in by_position:
            continue
        before = [state for state in states if state["position"] < delivery.position]
        if before and (roster.event_ids is None or delivery.event_id in roster.event_ids):
            entries.append(_without_state(delivery, before[-1]["participant"]))
    of_position = {delivery.position: delivery for delivery in deliveries}
    entries = [{**entry, "delivery": of_position.get(entry["position"])} for entry in entries]
    return sorted(entries, key=itemgetter("position"))


def _without_state(delivery: DeliveryAbout, known: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a delivery that made no state. `known`: the participant as it was then."""
    received_at = delivery.received_at.isoformat()
    why = _why(delivery, known)
    return {"position": delivery.position, "received_at": received_at, "until_position": None, "why": why}


def _why(delivery: DeliveryAbout, known: Mapping[str, Any]) -> str:
    """Why a delivery made no state."""
    if delivery.is_parked:
        return "parked"
    if delivery.event_type not in (REGISTERED, PARTICIPANT_OBSERVED, PARTICIPANT_UNLISTED):
        return "another type"
    updated_at = known["updated_at"] and datetime.fromisoformat(known["updated_at"])
    return "late" if updated_at and delivery.updated_at and delivery.updated_at < updated_at else "the same"


def changed_values(changed: Mapping[str, Any]) -> Iterator[ChangedValue]:
    """The changes of a state, without those of the object that a column shows."""
    shown = {key.partition(".")[0] for column in changed for key in _READ_FROM.get(column, ())}
    for name, change in changed.items():
        if name.startswith(_OBJECT) and name.removeprefix(_OBJECT) in shown:
            continue
        was, now = change["from"], change["to"]
        if name == ANSWERS:
            yield from _answers(was or (), now or ())
        else:
            yield ChangedValue(name, _text(was), _text(now), is_time=name in _TIMES)


def _answers(was: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> Iterator[ChangedValue]:
    """The changes of answers, by question."""
    before, after = _by_question(was), _by_question(now)
    for question in dict.fromkeys((*before, *after)):
        if before.get(question) != after.get(question):
            yield ChangedValue(question, before.get(question), after.get(question))


def _by_question(answers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    given: dict[str, list[str]] = {}
    for answer in answers:
        question = answer["question"] or answer["question_id"] or ""
        given.setdefault(question, []).extend([] if answer["answer"] is None else [answer["answer"]])
    return {question: "; ".join(texts) for question, texts in given.items()}


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else to_json(value).decode()
