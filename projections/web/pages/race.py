"""The page of a race: its roster, the question in words with its number, facets, columns, and the pages beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic_core import from_json
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster.criteria import Criteria, Filter, ParameterRefused, takes
from projections.roster.days import Dates, dates_of
from projections.roster.facets import MOST_COUNTED, count_some
from projections.roster.growth import Growth, growth_of
from projections.roster.patience import within
from projections.roster.questions import FormQuestion, chosen_questions, narrowed, questions_of, resolved
from projections.roster.races import newest_name
from projections.roster.roster import Roster
from projections.roster.shown import Shown
from projections.roster.unmatched import is_met
from projections.web.answer import cursor_of
from projections.web.endpoint import Endpoint, EndpointRequest, Page
from projections.web.endpoints import list_participants
from projections.web.kept_numbers import Kept, KeptNumbers
from projections.web.pages.choices import ChoiceNumbers, count_choices, sections
from projections.web.pages.columns import USUAL, column_boxes, question_boxes, shown_columns
from projections.web.pages.dots import id_in_query
from projections.web.pages.growth_chart import drawn_growth
from projections.web.pages.html_page import HtmlPage
from projections.web.pages.sheets import SHEETS, sheet_links
from projections.web.pages.words import parts_in_words
from projections.web.parameters import QUESTIONS, ListParameters, QuestionNames
from projections.web.question import Question

_MILLISECONDS = 2_000  # for which a page waits for the names of questions, and again for the chart
_QUICK_MILLISECONDS = 30
_EXACT = MOST_COUNTED  # people in a race, of whom it takes no time to count whoever meets criteria
_FEW = 3_000  # of whom it takes none to count what can be chosen
_FEW_SECONDS, _MANY_SECONDS = 2.0, 0.015  # for which a page waits for numbers of few and of many
_SECONDS = 2.0  # for which a page waits for the name of a race
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
    table = await _table(question, request, narrowed(roster, everybody))
    aside = _Aside(kept, question, request.id, of_all)
    number = of_all if is_whole else await aside.number(criteria)
    name = await aside.name()
    counted = None if request.parameters.sheet else await aside.choices(criteria, table.asked)
    growth = await _growth(question, request, dates) if is_whole else None
    page = await list_participants(question, replace(request, shown=table.shown))
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


@dataclass(frozen=True, slots=True)
class _Aside:
    """What is counted beside the request of a race's page. `of_all`: how many participants the race has."""

    kept: KeptNumbers
    question: Question
    event_id: str
    of_all: int

    async def name(self) -> str | None:
        """The name of the race; None if looking for it takes long."""
        roster, event_id = self.question.roster, self.event_id

        if not self.of_all:  # before anybody was in it
            roster = replace(roster, as_of=None)

        async def look(connection: AsyncConnection) -> str | None:
            return await newest_name(connection, roster, event_id)

        found = await within(self.question.connection, _QUICK_MILLISECONDS, lambda: look(self.question.connection))
        if found is not None:
            return found
        name = await self.kept.of(("name", roster, event_id), self.question.revision, look, _SECONDS)
        return None if name is None else name.numbers

    async def number(self, criteria: Criteria) -> int | None:
        """How many participants meet the criteria; None if they are being counted."""
        count = partial(count_some, roster=self.question.roster, criteria=replace(criteria, sort=()))
        if self.of_all <= _EXACT:
            return await count(self.question.connection)
        key = ("number", self.question.roster, replace(criteria, sort=()))
        counted = await self.kept.of(key, self.question.revision, count, _MANY_SECONDS)
        return None if counted is None else counted.numbers

    async def choices(self, criteria: Criteria, questions: Sequence[FormQuestion]) -> Kept[ChoiceNumbers] | None:
        """What can be chosen; None if it is being counted."""
        roster, event_id = self.question.roster, self.event_id

        async def count(connection: AsyncConnection) -> ChoiceNumbers:
            return await count_choices(connection, roster, criteria, event_id, questions)

        seconds = _FEW_SECONDS if self.of_all <= _FEW else _MANY_SECONDS
        unsorted = replace(criteria, sort=())
        return await self.kept.of(("choices", roster, unsorted), self.question.revision, count, seconds)


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


async def _table(question: Question, request: EndpointRequest[RaceParameters], of_race: Roster) -> _Table:
    names = request.shown.columns if request.parameters.columns else USUAL
    wanted = request.parameters.questions
    asked = await _asked(question.connection, of_race, is_needed=wanted is not None)
    try:
        return _Table(names, [] if wanted is None else chosen_questions(asked, wanted), asked)
    except ParameterRefused as error:
        raise question.refused(error) from None


async def _asked(connection: AsyncConnection, of_race: Roster, *, is_needed: bool) -> Sequence[FormQuestion]:
    """The questions of a race; none if looking for them takes long and they are not needed."""
    if is_needed:
        return await questions_of(connection, of_race)
    return await within(connection, _MILLISECONDS, lambda: questions_of(connection, of_race)) or []


async def _growth(question: Question, request: EndpointRequest[RaceParameters], dates: Dates) -> Growth | None:
    """How the race grew; None beside a later page, a list for paper, the past, or if it takes long."""
    if request.after is not None or question.as_of is not None or request.parameters.sheet is not None:
        return None
    connection, today = question.connection, _today(dates)

    async def ask() -> Growth | None:
        return await growth_of(connection, question.roster, request.id, dates, today)

    return await within(connection, _MILLISECONDS, ask)


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
