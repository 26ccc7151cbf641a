"""The page of a participant: columns, answers, the object as it came, and every state with what it changed."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from projections.participants.fields import ANSWERS
from projections.roster.days import dates_of
from projections.web.endpoint import Endpoint, EndpointRequest
from projections.web.endpoints import get_history, get_participant
from projections.web.pages.html_page import HtmlPage
from projections.web.parameters import HistoryParameters, OfOne
from projections.web.question import Question

_MOST_STATES = 100
_LISTED = ("attributes", ANSWERS, "field_errors")  # shown in places of their own


async def _person(question: Question, request: EndpointRequest[Any]) -> Mapping[str, Any]:
    found = await get_participant(question, request)
    assert isinstance(found.data, bytes)  # noqa: S101 - as it is read
    participant = from_json(found.data)
    event_id = participant["event_id"]
    dates = await dates_of(question.connection, question.roster, [event_id or ""])
    parameters = HistoryParameters(limit=_MOST_STATES)
    of_history = EndpointRequest(request.id, parameters, (), request.shown, None, is_last=True)
    history = await get_history(question, of_history)
    states = [from_json(state) for state in history.data if isinstance(state, bytes)]
    attributes = participant.get("attributes")
    return {
        "participant": participant,
        "columns": {name: value for name, value in participant.items() if name not in _LISTED},
        "answers": participant[ANSWERS],
        "object": None if attributes is None else to_json(attributes, indent=2).decode(),
        "states": [{**state, "changed": _without_doubles(state["changed"])} for state in reversed(states)],
        "has_more": history.following is not None,
        "zone": dates[event_id or ""].time_zone,
        "title": " ".join(filter(None, (participant["first_name"], participant["last_name"]))) or request.id,
    }


def _without_doubles(changed: Mapping[str, Any]) -> dict[str, Any]:
    """What changed, without keys of the object whose change a column shows."""
    of_columns = [change for name, change in changed.items() if not name.startswith("attributes.")]
    return {
        name: change
        for name, change in changed.items()
        if not name.startswith("attributes.") or change not in of_columns
    }


PERSON = HtmlPage(
    Endpoint(
        "/participants/{participant_id}", "person", "A participant.", OfOne, "", id="participant_id", has_answers=True
    ),
    "person.html",
    _person,
)
