"""The start page: the races, and a box that finds a person."""

from collections.abc import Mapping
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster.compared import read_compared
from projections.roster.criteria import Criteria, Strict, Words
from projections.roster.days import dates_of
from projections.roster.races import races
from projections.roster.roster import Roster
from projections.web.answer import cursor_of
from projections.web.endpoint import Endpoint, EndpointRequest
from projections.web.kept_numbers import KeptNumbers
from projections.web.pages.chart import bar_beside, bars
from projections.web.pages.html_page import HtmlPage
from projections.web.parameters import LARGEST_EVENTS_PAGE
from projections.web.question import Question

_DAYS = 30
_KEPT_DAYS = 40  # of a race that is no previous edition: whatever day it is where the race is, and some time later
_NO_RACE = ""  # an id that no race has: in the zone of all races without one of their own
_SECONDS = 12.0  # for which the page waits, if its races were never counted before

Race = Mapping[str, Any]
"""As an answer of the API has it; its days as a mapping."""


class RacesParameters(Strict):
    """Which page of the races."""

    cursor: Words | None = None


async def _races(kept: KeptNumbers, question: Question, request: EndpointRequest[Any]) -> Mapping[str, Any]:
    counted = await kept.of(("races", question.roster), question.revision, partial(_counted, question.roster), _SECONDS)
    if counted is None:
        raise question.refuse(503, "The races are being counted; ask again.", {"Retry-After": "2"})
    by_id, now = {race["event_id"]: race for race in counted.numbers}, datetime.now(UTC)
    ordered = sorted((_place(race, now), race) for race in counted.numbers)
    following = [each for each in ordered if request.after is None or each[0] > tuple(request.after)]
    page = following[:LARGEST_EVENTS_PAGE]
    cursor = cursor_of(question, page[-1][0] if len(following) > len(page) else None)
    shown = [_shown(race, by_id.get(race["previous_event_id"]), now) for _, race in page]
    position = counted.revision.position
    compared = await read_compared(question.connection, question.roster, Criteria(), position)
    calendar = await dates_of(question.connection, question.roster, [_NO_RACE])
    return {
        "coming": [race for race in shown if not race["is_past"]],
        "past": [race for race in shown if race["is_past"]],
        "next": cursor and f"?cursor={cursor}",
        "source": question.scope.source,
        "position": position,
        "compared": compared,
        "zone": calendar[_NO_RACE].time_zone,
    }


def _place(race: Race, now: datetime) -> tuple[bool, int, str]:
    """Where a race stands: those to come, the next one first, those whose day is not known; then the past, the newest
    first. No two races have the same place, so that no page of them has one again.
    """
    starts_on = race["starts_on"]
    if starts_on is None:
        return False, date.max.toordinal(), race["event_id"]
    is_past = starts_on < _today(race, now)
    return is_past, (-1 if is_past else 1) * starts_on.toordinal(), race["event_id"]


def _today(race: Race, now: datetime) -> date:
    """The day that it is where the race is."""
    return _day_in(race["time_zone"], now)


@lru_cache(64)
def _day_in(zone: str, now: datetime) -> date:
    return now.astimezone(ZoneInfo(zone)).date()


@lru_cache(64)
def _last_days(today: date) -> tuple[date, ...]:
    return tuple(today - timedelta(back) for back in reversed(range(_DAYS)))


async def _counted(roster: Roster, connection: AsyncConnection) -> list[Race]:
    """All races; of the days those that a page may show."""
    async with aclosing(races(connection, roster, None, None)) as every_race:
        counted = [{**race, "days": _by_day(race)} async for race in every_race]
    since = datetime.now(UTC).date() - timedelta(_KEPT_DAYS)
    previous = {race["previous_event_id"] for race in counted}
    for race in counted:
        if race["event_id"] not in previous:
            race["days"] = {day: number for day, number in race["days"].items() if day >= since}
    return [*counted]


def _by_day(race: Race) -> dict[date, int]:
    return {each["day"]: each["participants"] for each in race["days"]}


def _shown(race: Race, previous: Race | None, now: datetime) -> dict[str, Any]:
    """A race with what has happened lately: today, in the last 7 days, and by day in the last 30; and its previous
    edition.
    """
    today = _today(race, now)
    days = tuple(race["days"].get(day, 0) for day in _last_days(today))
    return {
        **race,
        "today": days[-1],
        "last_week": sum(days[-7:]),
        "chart": bars(days, f"registrations in each of the last {_DAYS} days"),
        "is_past": race["starts_on"] is not None and race["starts_on"] < today,
        "previous": previous and _previous(race, previous, today),
    }


def _previous(race: Race, previous: Race, today: date) -> Mapping[str, Any]:
    """How many the previous edition had, as long before its start as today is; in all if a start is not known."""
    now: int = race["participants"]
    before: int = previous["participants"]
    starts_on, started_on, days = race["starts_on"], previous["starts_on"], None
    if starts_on is not None and started_on is not None and starts_on >= today:
        days = (starts_on - today).days
        before = sum(number for day, number in previous["days"].items() if (started_on - day).days >= days)
    percent = round(100 * now / before) if before else None
    return {"before": before, "days": days, "chart": bar_beside(now, before), "percent": percent}


def races_page(kept: KeptNumbers) -> HtmlPage[RacesParameters]:
    """The start page. `kept`: where the numbers of all races are."""
    return HtmlPage(Endpoint("/", "races", "The races.", RacesParameters, ""), "races.html", partial(_races, kept))
