"""The page of a participant: columns, answers, other races, and what happened; on request the object as it came."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic_core import from_json, to_json

from projections.participants.fields import ANSWERS
from projections.roster.criteria import criteria, read_parameters, takes
from projections.roster.days import dates_of
from projections.roster.deliveries import deliveries_about
from projections.roster.page import find
from projections.web.endpoint import Endpoint, EndpointRequest
from projections.web.endpoints import get_participant
from projections.web.pages.happened import happened
from projections.web.pages.html_page import HtmlPage
from projections.web.parameters import ListParameters, OfOne
from projections.web.question import Question

_OTHER = ("participant_id", "event_name", "event_id", "sub_event_name", "status", "bib", "registered_at")
_MOST_OTHERS = 20
_FIRST = ("bib", "first_name", "last_name", "status", "event_name", "sub_event_name", "wave", "team")
_FOR_PROGRAMS = (
    "participant_id", "event_id", "sub_event_id", "athlete_id", "first_position", "position", "received_at", "origin",
    "unlisted_at",
)  # fmt: skip
_LISTED = ("attributes", ANSWERS, "field_errors")  # shown in places of their own


class PersonParameters(OfOne):
    """Which participant, as of when, and whether the object as it came is shown."""

    object: Literal["shown"] | None = takes("shown", "Also the object as it came.")


async def _person(question: Question, request: EndpointRequest[Any]) -> Mapping[str, Any]:
    found = await get_participant(question, request if request.parameters.object else _without_object(request))
    assert isinstance(found.data, bytes)  # noqa: S101 - as it is read
    participant = from_json(found.data)
    event_id = participant["event_id"]
    dates = await dates_of(question.connection, question.roster, [event_id or ""])
    others = await _other_races(question, request, participant)
    deliveries = await deliveries_about(question.connection, question.roster, request.id, question.position)
    history = await happened(question, request, deliveries)
    attributes = participant.get("attributes")
    return {
        "participant": participant,
        "columns": {name: participant[name] for name in (*_FIRST, *_others(participant))},
        "for_programs": _FOR_PROGRAMS,
        "answers": participant[ANSWERS],
        "object": None if attributes is None else to_json(attributes, indent=2).decode(),
        "may_see_object": "attributes" in question.roster.names,
        "others": others,
        "states": history.states,
        "left_out": history.left_out,
        "as_of": question.as_of,
        "then": question.parameters.get("as_of", ""),
        "zone": dates[event_id or ""].time_zone,
        "title": " ".join(filter(None, (participant["first_name"], participant["last_name"]))) or request.id,
    }


def _without_object(request: EndpointRequest[Any]) -> EndpointRequest[Any]:
    columns = tuple(name for name in request.shown.columns if name != "attributes")
    return replace(request, shown=replace(request.shown, columns=columns))


async def _other_races(
    question: Question, request: EndpointRequest[Any], participant: Mapping[str, Any]
) -> Sequence[Mapping[str, Any]]:
    """The others who are the same athlete, as the token sees them. As of now alone: for that there is an index."""
    athlete_id = participant["athlete_id"]
    if athlete_id is None or question.as_of is not None:
        return ()
    same = criteria(read_parameters(ListParameters, {"athlete_id": athlete_id}), ())
    shown = replace(request.shown, columns=_OTHER, has_answers=False)
    begin, limit = question.allowance.begin, _MOST_OTHERS + 1
    page = await find(question.connection, question.roster, same, None, limit, begin, shown)
    found = [*map(from_json, page.rows)]
    return [other for other in found if other["participant_id"] != request.id][:_MOST_OTHERS]


def _others(participant: Mapping[str, Any]) -> Iterator[str]:
    """The columns beside those that stand first."""
    return (name for name in participant if name not in (*_FIRST, *_LISTED))


PERSON = HtmlPage(
    Endpoint(
        "/participants/{participant_id}",
        "person",
        "A participant.",
        PersonParameters,
        "",
        id="participant_id",
        has_answers=True,
    ),
    "person.html",
    _person,
)
