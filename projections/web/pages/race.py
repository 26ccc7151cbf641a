"""The page of a race: its roster, the question in words with its number, facets, columns, and the pages beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic_core import from_json

from projections.roster.criteria import Criteria, Filter, ParameterRefused, takes
from projections.roster.days import Dates, dates_of
from projections.roster.facets import MOST_COUNTED, count_some
from projections.roster.questions import FormQuestion, chosen_questions, narrowed, resolved
from projections.roster.roster import Roster
from projections.roster.shown import Shown
from projections.roster.unmatched import is_met
from projections.web.answer import cursor_of
from projections.web.endpoint import Endpoint, EndpointRequest, Page
from projections.web.endpoints import list_participants
from projections.web.kept_numbers import Kept, KeptNumbers
from projections.web.pages.beside import BesideRoster
from projections.web.pages.choices import sections
from projections.web.pages.columns import USUAL, column_boxes, question_boxes, shown_columns
from projections.web.pages.dots import id_in_query
from projections.web.pages.growth_chart import drawn_growth
from projections.web.pages.html_page import HtmlPage
from projections.web.pages.sheets import SHEETS, sheet_links
from projections.web.pages.words import parts_in_words
from projections.web.parameters import QUESTIONS, ListParameters, QuestionNames
from projections.web.question import Question

# Parameters that say which page, not which participants; and what the address says already.
_OF_THE_PAGE = ("cursor", "limit", "sheet", "count", "event_id", "include")
_OF_EACH_PAGE = ("limit", "sheet")  # of these, what the next page has too
_OF_COLUMNS = ("columns", "questions")


class RaceParameters(ListParameters):
    """Which participants of a race are shown, and which columns of them."""

    questions: QuestionNames | None = QUESTIONS
    sheet: Literal["start-list", "check-in"] | None = takes("start-list or check-in", "As a list for paper.")


@dataclass(frozen=True, slots=True)
class _Table:
    """What is shown of each participant: columns, and answers to questions of all that were asked."""

    names: Sequence[str]
    questions: Sequence[FormQuestion]
    asked: Sequence[FormQuestion]

    @property
    def shown(self) -> Shown:
        """What is read for it."""
        names = dict.fromkeys((*self.names, "participant_id", "field_errors"))
        return Shown(tuple(names), question_keys=tuple(question.key for question in self.questions))


async def _race(kept: KeptNumbers, question: Question, request: EndpointRequest[RaceParameters]) -> Mapping[str, Any]:
    question, request = _in_race(question, request)
    connection, roster = question.connection, question.roster
    criteria = await resolved(connection, roster, request.criteria)
    everybody = Criteria(tuple(each for each in criteria.filters if _is_of_race(each, request.id)))
    is_whole = replace(criteria, sort=()) == everybody
    of_all = await count_some(connection, roster, everybody)
    if not of_all and not await _is_known(question, everybody):
        raise question.not_there("race")
    dates = (await dates_of(connection, roster, [request.id]))[request.id]
    beside = BesideRoster(kept, question, request.id, of_all)
    table = await _table(beside, request, narrowed(roster, everybody))
    number = of_all if is_whole else await beside.number(criteria)
    name = await beside.name()
    counted = None if request.parameters.sheet else await beside.choices(criteria, table.asked)
    growth = await beside.growth(dates, _today(dates)) if is_whole and _has_chart(question, request) else None
    page = await list_participants(question, replace(request, shown=table.shown, answers=criteria.answers))
    if request.after is not None and page.previous is None:
        raise question.refuse(400, "Nobody is before this page: it is the first one.", parameter="cursor")
    chosen = _chosen(question)
    return {
        "name": name or request.id,
        "zone": dates.time_zone,
        "today": _today(dates),
        "number": number,
        "of_all": of_all,
        "most": MOST_COUNTED,
        "chips": _chips(criteria, request.id, table, chosen),
        "sections": [] if counted is None else sections(counted.numbers, chosen),
        "is_counting": counted is None,
        "counted_at": _older(counted, question),
        "columns": shown_columns(table.names, table.questions, {**chosen, **_of_each_page(question)}),
        "boxes": _boxes(roster, table),
        **_of_page(page),
        "chosen": chosen,
        "as_of": question.as_of,
        "sheet": SHEETS[request.parameters.sheet][0] if request.parameters.sheet else None,
        "growth": growth and drawn_growth(growth),
        **_ways(question, {**chosen, "event_id": request.id}, table, page),
    }


def _in_race(
    question: Question, request: EndpointRequest[RaceParameters]
) -> tuple[Question, EndpointRequest[RaceParameters]]:
    """The request of this race alone, and in the order of bibs where a number is searched and no order is asked for:
    who has it as the bib stands before those whose bibs begin with it. Each address of the page says so, too.
    """
    is_number = request.parameters.sort is None and question.parameters.get("q", "").strip().isdecimal()
    by_bib = {"sort": "bib"} if is_number else {}
    parameters = request.parameters.model_copy(update={"event_id": request.id, **by_bib})
    return replace(question, parameters={**question.parameters, **by_bib}), replace(request, parameters=parameters)


async def _is_known(question: Question, everybody: Criteria) -> bool:
    """Whether anybody is in the race now, of which nobody was then."""
    roster = replace(question.roster, as_of=None)
    return question.as_of is not None and await is_met(question.connection, roster, everybody)


def _older(counted: Kept[Any] | None, question: Question) -> int | None:
    """The position of the numbers, if they are of another one than the page."""
    if counted is None or question.as_of is not None or counted.revision == question.revision:
        return None
    return counted.revision.position


async def _table(beside: BesideRoster, request: EndpointRequest[RaceParameters], of_race: Roster) -> _Table:
    names = request.shown.columns if request.parameters.columns else USUAL
    wanted = request.parameters.questions
    asked = await beside.questions(of_race, is_needed=wanted is not None)
    if wanted is None:
        return _Table(names, [], asked)
    try:
        return _Table(names, await chosen_questions(beside.question.connection, of_race, asked, wanted), asked)
    except ParameterRefused as error:
        raise beside.question.refused(error) from None


def _has_chart(question: Question, request: EndpointRequest[RaceParameters]) -> bool:
    """Whether it is the first page of now, and no list for paper."""
    return request.after is None and question.as_of is None and request.parameters.sheet is None


def _chosen(question: Question) -> dict[str, str]:
    """What the address says of the participants, not of the page."""
    return {name: value for name, value in question.parameters.items() if name not in _OF_THE_PAGE}


def _today(dates: Dates) -> date:
    """The day that it is where the race is."""
    return datetime.now(ZoneInfo(dates.time_zone)).date()


def _chips(criteria: Criteria, event_id: str, table: _Table, chosen: Mapping[str, str]) -> list[tuple[str, str]]:
    """What was chosen, in words, each with the address without it."""
    others = replace(criteria, filters=tuple(each for each in criteria.filters if not _is_of_race(each, event_id)))
    called = {question.question_id: question.words for question in table.asked if question.question_id is not None}
    parts = parts_in_words(others, chosen.get("q"), called)
    # A filter may be written with the operator that it has by default.
    return [(words, _address(chosen, parameter, f"{parameter}__eq")) for words, parameter in parts]


def _of_page(page: Page) -> dict[str, Any]:
    return {"people": [from_json(row) for row in page.data if isinstance(row, bytes)], "compared": page.compared}


def _boxes(roster: Roster, table: _Table) -> dict[str, Any]:
    """The form that chooses columns."""
    return {
        "columns": column_boxes(roster.names, table.names),
        "questions": question_boxes(table.asked, table.questions),
    }


def _ways(question: Question, of_race: Mapping[str, str], table: _Table, page: Page) -> dict[str, Any]:
    """The addresses that lead on from the page: the pages beside it, files, the roster of now."""
    sized = _of_each_page(question)
    chosen = {name: value for name, value in of_race.items() if name != "event_id"}
    previous, following = (cursor_of(question, place) for place in (page.previous, page.following))
    return {
        "first": page.previous and "?" + urlencode({**chosen, **sized}),
        "previous": previous and "?" + urlencode({**chosen, **sized, "cursor": previous}),
        "next": following and "?" + urlencode({**chosen, **sized, "cursor": following}),
        "exports": urlencode({**of_race, "columns": ",".join(table.names)}),
        "whole": _address(of_race, *_OF_COLUMNS),
        "then": question.parameters.get("as_of", ""),
        "now_href": _address(chosen, "as_of"),
        "sheets": sheet_links(chosen),
        "fields": {**id_in_query(of_race["event_id"]), **chosen, **sized},
        "usual": _address(chosen, *_OF_COLUMNS),
    }


def _of_each_page(question: Question) -> dict[str, str]:
    return {name: value for name, value in question.parameters.items() if name in _OF_EACH_PAGE}


def _address(chosen: Mapping[str, str], *without: str) -> str:
    """The address without some parameters."""
    return "?" + urlencode({name: value for name, value in chosen.items() if name not in without})


def _is_of_race(filter_: Filter, event_id: str) -> bool:
    return (filter_.column, filter_.operator, filter_.value) == ("event_id", "eq", event_id)


def race_page(kept: KeptNumbers) -> HtmlPage[RaceParameters]:
    """The page of a race. `kept`: where its numbers are, if they take long."""
    endpoint = Endpoint(
        "/races/{event_id}", "race", "The roster of a race.", RaceParameters, "", id="event_id", takes_answers=True,
        reads_answers=True,
    )  # fmt: skip
    return HtmlPage(endpoint, "race.html", partial(_race, kept))
