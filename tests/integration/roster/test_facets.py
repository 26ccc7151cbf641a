"""The numbers beside a page: right, bounded, and left out where counting them takes too long."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from ingest.database import API_ROLE, async_engine
from projections.roster.criteria import Criteria, Filter
from projections.roster.facets import MOST_IN_FACET, count_some, facets
from projections.roster.roster import Roster
from tests import model
from tests.fold_all import drain

T = TypeVar("T")
TEAMS = [f"t{number % 30:02}" if number % 7 else None for number in range(90)]
ROSTER, EVERYBODY = Roster("movemint"), Criteria()
OF_EVENT = Criteria((Filter("event_id", "eq", "1"),))


@pytest.fixture
def people(database: str, worker_engine: Engine) -> str:
    bodies = [
        model.body(number, event_id=number % 2, team=team, status="active" if number % 3 else "deferred")
        for number, team in enumerate(TEAMS)
    ]
    model.append(database, bodies)
    drain(worker_engine)
    return database


def asked(conninfo: str, ask: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async def run() -> T:
        engine = async_engine(conninfo, API_ROLE, read_only=True)
        try:
            async with engine.connect() as connection:
                return await ask(connection)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def test_each_value_is_counted_the_commonest_first_and_what_is_empty_last(people: str) -> None:
    counted = asked(people, lambda connection: facets(connection, ROSTER, OF_EVENT, ("team", "status")))
    assert counted is not None
    teams, statuses = counted
    wanted = Counter(team for number, team in enumerate(TEAMS) if number % 2)
    nobody = wanted.pop(None)
    assert [*teams.values] == [*sorted(wanted.items(), key=lambda each: (-each[1], each[0] or "")), (None, nobody)]
    assert not teams.has_more
    assert [*statuses.values] == [("active", 30), ("deferred", 15)]


def test_of_many_values_the_commonest_are_given(people: str) -> None:
    counted = asked(people, lambda connection: facets(connection, ROSTER, EVERYBODY, ("team",)))
    assert counted is not None
    [teams] = counted
    assert (len(teams.values), teams.has_more) == (MOST_IN_FACET + 1, True)
    assert teams.values[-1][0] is None


def test_no_more_are_counted_than_are_told(people: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(people, lambda connection: count_some(connection, ROSTER, OF_EVENT)) == 45
    monkeypatch.setattr("projections.roster.facets.MOST_COUNTED", 20)
    assert asked(people, lambda connection: count_some(connection, ROSTER, OF_EVENT)) == 21


def test_what_takes_too_long_is_left_out_and_the_question_goes_on(people: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.roster.facets._MILLISECONDS", 50)
    times = text("select current_setting('statement_timeout')")

    async def ask(connection: AsyncConnection) -> None:
        before = (await connection.execute(times)).scalar_one()
        with psycopg.connect(people) as holder:
            holder.execute("lock participants_build in access exclusive mode")
            assert await facets(connection, ROSTER, EVERYBODY, ("team",)) is None
        assert (await connection.execute(times)).scalar_one() == before
        assert await count_some(connection, ROSTER, EVERYBODY) == 90
        assert await facets(connection, ROSTER, EVERYBODY, ("status",)) is not None
        assert (await connection.execute(times)).scalar_one() == before

    asked(people, ask)


def test_another_error_is_none_of_slowness(people: str) -> None:
    async def ask(connection: AsyncConnection) -> None:
        await connection.execute(text("set local lock_timeout = '20ms'"))
        with psycopg.connect(people) as holder:
            holder.execute("lock participants_build in access exclusive mode")
            with pytest.raises(DBAPIError):
                await facets(connection, ROSTER, EVERYBODY, ("team",))

    asked(people, ask)
