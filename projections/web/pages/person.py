"""The page of a participant: columns, answers, the object as it came, and every state with what it changed."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import from_json, to_json

from projections.participants.fields import ANSWERS
from projections.roster.days import dates_of
from projections.web.endpoint import Endpoint, EndpointRequest
from projections.web.endpoints import get_participant
from projections.web.pages.happened import happened
from projections.web.pages.html_page import HtmlPage
from projections.web.parameters import OfOne
from projections.web.question import Question

_FIRST = ("bib", "first_name", "last_name", "status", "event_name", "sub_event_name", "wave", "team")
_LISTED = ("attributes", ANSWERS, "field_errors")  # shown in places of their own


async def _person(question: Question, request: EndpointRequest[Any]) -> Mapping[str, Any]:
    found = await get_participant(question, request)
    assert isinstance(found.data, bytes)  # noqa: S101 - as it is read
    participant = from_json(found.data)
    event_id = participant["event_id"]
    dates = await dates_of(question.connection, question.roster, [event_id or ""])
    history = await happened(question, request)
    attributes = participant.get("attributes")
    return {
        "participant": participant,
        "columns": {name: participant[name] for name in (*_FIRST, *_others(participant))},
        "answers": participant[ANSWERS],
        "object": None if attributes is None else to_json(attributes, indent=2).decode(),
        "states": history.states,
        "left_out": history.left_out,
        "as_of": question.as_of,
        "zone": dates[event_id or ""].time_zone,
        "title": " ".join(filter(None, (participant["first_name"], participant["last_name"]))) or request.id,
    }


def _others(participant: Mapping[str, Any]) -> Iterator[str]:
    """The columns beside those that stand first."""
    return (name for name in participant if name not in (*_FIRST, *_LISTED))


PERSON = HtmlPage(
    Endpoint(
        "/participants/{participant_id}", "person", "A participant.", OfOne, "", id="participant_id", has_answers=True
    ),
    "person.html",
    _person,
)
