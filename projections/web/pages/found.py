"""Whom a search over all races finds: a list, or the one person who was meant."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from pydantic_core import from_json

from projections.roster.criteria import Filter
from projections.roster.page import find
from projections.web.answer import cursor_of
from projections.web.endpoint import Endpoint, EndpointRequest
from projections.web.endpoints import list_participants
from projections.web.pages.html_page import Elsewhere, HtmlPage
from projections.web.parameters import ListParameters
from projections.web.question import Question

_COLUMNS = ("participant_id", "bib", "last_name", "first_name", "event_name", "event_id", "sub_event_name", "status")

_MOST_OF_BIB = 100  # of different races


async def _found(question: Question, request: EndpointRequest[ListParameters]) -> Mapping[str, Any] | Elsewhere:
    words = request.parameters.q
    if words is None:
        return Elsewhere("/")
    request = replace(request, shown=replace(request.shown, columns=_COLUMNS))
    asked, is_first = question.parameters["q"], "cursor" not in question.parameters
    of_bib = await _of_bib(question, request, asked)
    page = await list_participants(question, request)
    others = [person for person in _read(page.data) if person not in of_bib]
    people = [*of_bib, *others] if is_first else others
    following = cursor_of(question, page.following)
    if len(people) == 1 and following is None and is_first:
        return Elsewhere("/participants/", people[0]["participant_id"])
    kept = {**question.parameters, "cursor": following}
    return {"asked": asked, "people": people, "next": following and "?" + urlencode(kept)}


async def _of_bib(question: Question, request: EndpointRequest[ListParameters], asked: str) -> list[Mapping[str, Any]]:
    """Who has exactly what is asked as the bib: they are the first, before those whose bibs begin with it."""
    filters = (*request.criteria.filters, Filter("bib", "iexact", asked))
    exactly = replace(request.criteria, words=None, filters=filters)
    begin = question.allowance.begin
    page = await find(question.connection, question.roster, exactly, None, _MOST_OF_BIB, begin, request.shown)
    return _read(page.rows)


def _read(rows: Sequence[object]) -> list[Mapping[str, Any]]:
    return [from_json(row) for row in rows if isinstance(row, bytes)]


FOUND = HtmlPage(Endpoint("/find", "find", "People of all races.", ListParameters, ""), "found.html", _found)
