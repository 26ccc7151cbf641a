"""Whom a search over all races finds: a list, or the one person who was meant."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from pydantic_core import from_json

from projections.web.answer import cursor_of
from projections.web.endpoint import Endpoint, EndpointRequest
from projections.web.endpoints import list_participants
from projections.web.pages.html_page import Elsewhere, HtmlPage
from projections.web.parameters import ListParameters
from projections.web.question import Question

_COLUMNS = ("participant_id", "bib", "last_name", "first_name", "event_name", "event_id", "sub_event_name", "status")


async def _found(question: Question, request: EndpointRequest[ListParameters]) -> Mapping[str, Any] | Elsewhere:
    words = request.parameters.q
    if words is None:
        return Elsewhere("/")
    page = await list_participants(question, replace(request, shown=replace(request.shown, columns=_COLUMNS)))
    people = [from_json(row) for row in page.data if isinstance(row, bytes)]
    following = cursor_of(question, page.following)
    if len(people) == 1 and following is None and "cursor" not in question.parameters:
        return Elsewhere("/participants/", people[0]["participant_id"])
    asked = question.parameters["q"]
    kept = {**question.parameters, "cursor": following}
    return {"asked": asked, "people": people, "next": following and "?" + urlencode(kept)}


FOUND = HtmlPage(Endpoint("/find", "find", "People of all races.", ListParameters, ""), "found.html", _found)
