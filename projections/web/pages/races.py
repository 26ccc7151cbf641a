"""The start page: the races, and a box that finds a person."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_core import from_json

from projections.roster.criteria import Strict, Words
from projections.web.answer import cursor_of
from projections.web.endpoint import Endpoint, EndpointRequest
from projections.web.endpoints import list_events
from projections.web.pages.chart import bars
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
    races = [_race(from_json(race)) for race in page.data if isinstance(race, bytes)]
    following = cursor_of(question, page.following)
    return {"races": races, "next": following and f"?cursor={following}", "source": question.scope.source}


def _race(race: dict[str, Any]) -> dict[str, Any]:
    """A race with what has happened lately: today, in the last 7 days, and by day in the last 30."""
    today = datetime.now(UTC).astimezone(ZoneInfo(race["time_zone"])).date()
    days = _last_days(race["days"], today)
    starts_on = race["starts_on"] and date.fromisoformat(race["starts_on"])
    return {
        **race,
        "today": days[-1],
        "last_week": sum(days[-7:]),
        "chart": bars(days, f"registrations in each of the last {_DAYS} days"),
        "is_past": starts_on is not None and starts_on < today,
    }


def _last_days(counted: Sequence[Mapping[str, Any]], today: date) -> list[int]:
    """The number per day of the last `_DAYS`, the oldest first."""
    by_day = {each["day"]: each["participants"] for each in counted}
    return [by_day.get((today - timedelta(days)).isoformat(), 0) for days in reversed(range(_DAYS))]


RACES = HtmlPage(
    Endpoint("/", "races", "The races.", RacesParameters, ""),
    "races.html",
    _races,
)
