"""The page of a race: its roster, the question in words with its number, facets, order, and the next page."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from pydantic_core import from_json

from projections.roster.criteria import SORTABLE, Criteria, Filter
from projections.roster.days import dates_of
from projections.roster.facets import MOST_COUNTED, count_some
from projections.roster.patience import within
from projections.roster.questions import narrowed, questions_of, resolved
from projections.roster.races import newest_name
from projections.web.answer import cursor_of
from projections.web.endpoint import Endpoint, EndpointRequest
from projections.web.endpoints import list_participants
from projections.web.pages.choices import count_choices, left_out, sections
from projections.web.pages.html_page import HtmlPage
from projections.web.pages.words import parts_in_words
from projections.web.parameters import ListParameters
from projections.web.question import Question

_COLUMNS = ("bib", "last_name", "first_name", "sub_event_name", "status", "gender", "team", "wave", "registered_at")
_MILLISECONDS = 2_000  # for which a page waits for the names of questions
# Parameters that say which page, not which participants; and what the address says already.
_OF_THE_PAGE = ("cursor", "limit", "count", "event_id", "include")


async def _race(question: Question, request: EndpointRequest[ListParameters]) -> Mapping[str, Any]:
    request = replace(request, parameters=request.parameters.model_copy(update={"event_id": request.id}))
    connection, roster = question.connection, question.roster
    criteria = await resolved(connection, roster, request.criteria)
    everybody = Criteria(tuple(each for each in criteria.filters if _is_of_race(each, request.id)))
    others = replace(criteria, filters=tuple(each for each in criteria.filters if not _is_of_race(each, request.id)))
    number = await count_some(connection, roster, criteria)
    of_all = number if criteria == everybody else await count_some(connection, roster, everybody)
    if not of_all and question.as_of is None:
        raise question.not_there("race")
    dates = (await dates_of(connection, roster, [request.id]))[request.id]
    name = await newest_name(connection, roster, request.id)
    of_race = narrowed(roster, everybody)
    asked = await within(connection, _MILLISECONDS, lambda: questions_of(connection, of_race)) or []
    counted = await count_choices(connection, roster, criteria, request.id, asked)
    columns = request.shown.columns if request.parameters.columns else _COLUMNS
    needed = tuple(dict.fromkeys((*columns, "participant_id", "field_errors")))
    page = await list_participants(question, replace(request, shown=replace(request.shown, columns=needed)))
    chosen = {name: value for name, value in question.parameters.items() if name not in _OF_THE_PAGE}
    called = {question.question_id: question.words for question in asked if question.question_id is not None}
    parts = parts_in_words(others, chosen.get("q"), called)
    chips = [(words, _without(chosen, parameter)) for words, parameter in parts]
    return {
        "name": name or request.id,
        "zone": dates.time_zone,
        "number": number,
        "of_all": of_all,
        "most": MOST_COUNTED,
        "chips": chips,
        "sections": sections(counted, chosen),
        "left_out": left_out(counted),
        "columns": columns,
        "sorts": {column: _sort(column, chosen) for column in columns if column in SORTABLE},
        "people": [from_json(row) for row in page.data if isinstance(row, bytes)],
        "chosen": chosen,
        "as_of": question.as_of,
        **_ways(question, {**chosen, "event_id": request.id}, columns, cursor_of(question, page)),
    }


def _ways(
    question: Question, of_race: Mapping[str, str], columns: Sequence[str], following: str | None
) -> dict[str, Any]:
    """The addresses that lead on from the page: the next one, files, the roster of now."""
    sized = {name: value for name, value in question.parameters.items() if name == "limit"}
    chosen = {name: value for name, value in of_race.items() if name != "event_id"}
    return {
        "next": following and "?" + urlencode({**chosen, **sized, "cursor": following}),
        "is_first": "cursor" not in question.parameters,
        "exports": urlencode({**of_race, "columns": ",".join(columns)}),
        "whole": urlencode({name: value for name, value in of_race.items() if name != "columns"}),
        "then": question.parameters.get("as_of", ""),
        "now_href": _without(chosen, "as_of"),
    }


def _without(chosen: Mapping[str, str], parameter: str) -> str:
    """The address without a parameter, which may be written with the operator that it has by default."""
    left = {name: value for name, value in chosen.items() if name not in (parameter, f"{parameter}__eq")}
    return "?" + urlencode(left)


def _is_of_race(filter_: Filter, event_id: str) -> bool:
    return (filter_.column, filter_.operator, filter_.value) == ("event_id", "eq", event_id)


def _sort(column: str, chosen: Mapping[str, str]) -> dict[str, str]:
    """The address sorted by a column, the other way if it is sorted by it already; and how it is sorted now."""
    now = {column: "ascending", f"-{column}": "descending"}.get(chosen.get("sort", ""), "none")
    wanted = f"-{column}" if now == "ascending" else column
    return {"now": now, "href": "?" + urlencode({**chosen, "sort": wanted})}


RACE = HtmlPage(
    Endpoint(
        "/races/{event_id}",
        "race",
        "The roster of a race.",
        ListParameters,
        "",
        id="event_id",
        takes_answers=True,
        reads_answers=True,
    ),
    "race.html",
    _race,
)
