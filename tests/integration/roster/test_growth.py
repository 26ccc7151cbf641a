"""How a race grew, beside an independent count of the same people."""

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from ingest import postgres
from ingest.database import API_ROLE, async_engine
from projections.roster.days import dates_of
from projections.roster.growth import Growth, growth_of
from projections.roster.roster import Roster
from tests import model
from tests.conftest import create
from tests.zoned_people import fold_by, zoned_catalogue

TODAY = date(2026, 5, 20)
STARTS, STARTED = date(2026, 6, 20), date(2025, 6, 21)
SUB_EVENTS = {1: "Marathon", 2: "10 km", 3: None}
# Day in Denver, sub-event, how many; an odd one came after the race was over.
NOW = [(date(2026, 3, 2), 1, 7), (date(2026, 3, 2), 2, 2), (date(2026, 4, 1), 2, 9), (date(2026, 5, 19), 3, 4)]
BEFORE = [(date(2025, 1, 5), 1, 6), (date(2025, 5, 22), 1, 3), (date(2025, 6, 30), 2, 1)]
OPEN = [(date(2026, 1, 1), 1, 3), (date(2026, 1, 2), 1, 2)]


def people(first: int, event_id: int, registered: list[tuple[date, int, int]]) -> list[bytes]:
    days = [(day, sub_event) for day, sub_event, number in registered for _ in range(number)]
    return [
        model.body(
            first + number,
            event_id=event_id,
            sub_event={"id": sub_event, "name": SUB_EVENTS[sub_event]},
            created_at=f"{day + timedelta(days=1)}T02:00:00Z",  # in the evening of the day before, in Denver
        )
        for number, (day, sub_event) in enumerate(days)
    ]


@pytest.fixture(scope="module")
def grown(server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    bodies = [*people(1, 501, NOW), *people(100, 431, BEFORE), *people(200, 600, OPEN)]
    folder: Path = tmp_path_factory.mktemp("fields")
    return fold_by(zoned_catalogue(folder), create(server, template), bodies)


Ask = Callable[..., Growth | None]


@pytest.fixture
def grew(grown: str) -> Ask:
    def ask(event_id: str, events: tuple[str, ...] | None = None, today: date = TODAY) -> Growth | None:
        return asyncio.run(_asked(grown, Roster("movemint", events), event_id, today))

    return ask


async def _asked(conninfo: str, roster: Roster, event_id: str, today: date) -> Growth | None:
    engine = async_engine(conninfo, API_ROLE, read_only=True)
    try:
        async with engine.connect() as connection:
            dates = (await dates_of(connection, roster, [event_id]))[event_id]
            return await growth_of(connection, roster, event_id, dates, today)
    finally:
        await engine.dispose()


def until(registered: list[tuple[date, int, int]], day: date, sub_event: int | None = None) -> int:
    return sum(number for at, of, number in registered if at <= day and sub_event in (None, of))


def test_each_point_has_whoever_registered_until_then(grew: Ask) -> None:
    growth = grew("501")
    assert growth is not None
    assert growth.days_before is not None
    assert growth.points[-1] == date(2026, 6, 29), "as long after the start as the last of the edition before"
    assert [STARTS - timedelta(days) for days in growth.days_before] == growth.points
    assert len(growth.points) <= 25
    assert len({after - before for before, after in zip(growth.points, growth.points[1:], strict=False)}) == 1
    known = [point for point, number in zip(growth.points, growth.total.numbers, strict=True) if number is not None]
    assert known[-2] < TODAY <= known[-1], "what is not over yet has no number"
    assert [*growth.total.numbers][: len(known)] == [until(NOW, point) for point in known]
    assert growth.total.numbers[len(known) - 1] == 22
    assert [line.name for line in growth.sub_events] == ["10 km", "Marathon", "3"], "the largest first"
    for line, sub_event in zip(growth.sub_events, (2, 1, 3), strict=True):
        assert [*line.numbers][: len(known)] == [until(NOW, point, sub_event) for point in known]
    assert growth.previous is not None
    moved = [until(BEFORE, point - (STARTS - STARTED)) for point in growth.points]
    assert growth.previous.numbers == moved
    assert moved[-1] == 10


def test_without_a_start_it_is_by_day_and_alone(grew: Ask) -> None:
    growth = grew("600")
    assert growth is not None
    assert (growth.days_before, growth.previous, growth.sub_events) == (None, None, [])
    assert growth.points == [date(2026, 1, 1), date(2026, 1, 2)]
    assert growth.total.numbers == [3, 5]


def test_nothing_is_told_of_races_that_are_not_seen(grew: Ask) -> None:
    assert grew("501", ("600",)) is None
    assert grew("999") is None
    of_one = grew("501", ("501",))
    assert of_one is not None
    assert of_one.previous is None


def test_a_race_that_is_over_ends_with_its_start(grew: Ask) -> None:
    growth = grew("431", today=date(2030, 1, 1))
    assert growth is not None
    assert growth.points[-1] == date(2025, 6, 30)
    assert growth.total.numbers[-1] == 10
