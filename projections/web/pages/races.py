"""The start page: the races, and a box that finds a person."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_core import from_json

from projections.roster.criteria import Strict, Words
from projections.roster.races import race as race_of
from projections.web.answer import cursor_of
from projections.web.endpoint import Endpoint, EndpointRequest
from projections.web.endpoints import list_events
from projections.web.pages.chart import bar_beside, bars
from projections.web.pages.html_page import HtmlPage
from projections.web.parameters import LARGEST_EVENTS_PAGE, EventsParameters
from projections.web.question import Question

_DAYS = 30


class RacesParameters(Strict):
    """Which page of the races."""

    cursor: Words | None = None


async def _races(question: Question, request: EndpointRequest[Any]) -> Mapping[str, Any]:
    parameters = EventsParameters(limit=LARGEST_EVENTS_PAGE)
    page = await list_events(question, replace(request, parameters=parameters))
    races = {race["event_id"]: race for race in (from_json(row) for row in page.data if isinstance(row, bytes))}
    shown = [*races.values()]
    for id_ in {race["previous_event_id"] for race in shown} - {None, *races}:
        previous = await race_of(question.connection, question.roster, id_)
        if previous is not None:
            races[id_] = previous
    following = cursor_of(question, page.following)
    return {
        "races": [_race(race, races.get(race["previous_event_id"])) for race in shown],
        "next": following and f"?cursor={following}",
        "source": question.scope.source,
    }


def _race(race: Mapping[str, Any], previous: Mapping[str, Any] | None) -> dict[str, Any]:
    """A race with what has happened lately: today, in the last 7 days, and by day in the last 30; and its previous
    edition.
    """
    today = datetime.now(UTC).astimezone(ZoneInfo(race["time_zone"])).date()
    days = _last_days(race["days"], today)
    starts_on = race["starts_on"] and date.fromisoformat(race["starts_on"])
    return {
        **race,
        "today": days[-1],
        "last_week": sum(days[-7:]),
        "chart": bars(days, f"registrations in each of the last {_DAYS} days"),
        "is_past": starts_on is not None and starts_on < today,
        "previous": previous and _previous(race, previous, today),
    }


def _previous(race: Mapping[str, Any], previous: Mapping[str, Any], today: date) -> Mapping[str, Any]:
    """How many the previous edition had, as long before its start as today is; in all if a start is not known."""
    now: int = race["participants"]
    before: int = previous["participants"]
    days = None
    if race["starts_on"] and previous["starts_on"] and _date(race["starts_on"]) >= today:
        days = (_date(race["starts_on"]) - today).days
        until = _date(previous["starts_on"]).toordinal() - days
        before = sum(each["participants"] for each in previous["days"] if _date(each["day"]).toordinal() <= until)
    percent = round(100 * now / before) if before else None
    return {"before": before, "days": days, "chart": bar_beside(now, before), "percent": percent}


def _date(day: date | str) -> date:
    return date.fromisoformat(day) if isinstance(day, str) else day


def _last_days(counted: Sequence[Mapping[str, Any]], today: date) -> list[int]:
    """The number per day of the last `_DAYS`, the oldest first."""
    by_day = {each["day"]: each["participants"] for each in counted}
    return [by_day.get((today - timedelta(days)).isoformat(), 0) for days in reversed(range(_DAYS))]


RACES = HtmlPage(
    Endpoint("/", "races", "The races.", RacesParameters, ""),
    "races.html",
    _races,
)
