"""What metrics read from a database that is slow, away, or shows little to a login."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, text

from ingest.database import INGEST_ROLE
from ingest.driver import AsyncConnection
from ingest.log.figures import log_readings
from ingest.metrics import DATABASE_UP, HEAD, Reading
from ingest.web.figures import DatabaseFigures
from tests import DEADLINE, model
from tests.fold_all import query
from tests.proxy import Proxy
from tests.unmarked import unmarked


async def seen(figures: DatabaseFigures) -> dict[str, float]:
    return {reading.metric.name: float(str(reading.value)) for reading in await figures.read()}


def test_a_database_that_is_slow_is_not_away(database: str) -> None:
    """Each of its answers takes a third of a second, a reading several: the scrapes in between have the one before."""
    model.append(database, [model.body(1)])
    with Proxy(database).running() as proxy:

        async def scenario() -> list[dict[str, float]]:
            figures = DatabaseFigures(proxy.conninfo, [log_readings])
            while HEAD.name not in await seen(figures):
                await asyncio.sleep(0.02)
            proxy.delay = 0.3
            figures._read_at -= 10  # so long after the last reading
            slow = [await seen(figures) for _ in range(3)]
            proxy.delay = 0.0
            proxy.swallows = True
            proxy.cut()
            away = await seen(figures)
            proxy.swallows = False
            while (await seen(figures))[DATABASE_UP.name] == 0:
                await asyncio.sleep(0.02)
            await figures.close()
            return [*slow, away]

        *slow, away = asyncio.run(scenario())
    assert [(each[DATABASE_UP.name], each[HEAD.name]) for each in slow] == [(1, 1)] * 3
    assert away == {DATABASE_UP.name: 0}


def test_a_connection_that_does_not_answer_a_scrape_is_closed_then_and_replaced_by_the_next(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the wait for it cancelled, the driver would first ask the server to end the statement, for seconds."""
    asked: list[object] = []

    async def ask_to_end(connection: AsyncConnection, **_: float) -> None:
        asked.append(connection)

    monkeypatch.setattr(AsyncConnection, "_try_cancel", ask_to_end)
    with Proxy(database).running() as proxy:

        async def scenario() -> list[dict[str, float]]:
            figures = DatabaseFigures(proxy.conninfo, [])
            while (await seen(figures))[DATABASE_UP.name] == 0:
                await asyncio.sleep(0.02)
            proxy.silence()
            away = await seen(figures)
            assert figures._asked is not None
            assert figures._asked.closed
            while (again := await seen(figures))[DATABASE_UP.name] == 0:
                await asyncio.sleep(0.02)
            await figures.close()
            return [away, again]

        assert asyncio.run(asyncio.wait_for(scenario(), DEADLINE)) == [{DATABASE_UP.name: up} for up in (0, 1)]
    assert asked == []


def test_a_reading_has_one_deadline_for_all_that_it_asks(
    database: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.web.figures._READ_SECONDS", 0.5)
    monkeypatch.setattr("ingest.web.figures._SCRAPE_SECONDS", DEADLINE)

    def slow(connection: Connection) -> Iterator[Reading]:
        for _ in range(20):
            connection.execute(text("select pg_sleep(0.1)"))
        yield Reading(HEAD, ("movemint",), 1)

    async def scenario() -> dict[str, float]:
        figures = DatabaseFigures(database, [slow])
        found = await seen(figures)
        await figures.close()
        return found

    assert asyncio.run(scenario()) == {DATABASE_UP.name: 1}
    assert [record.__dict__["fields"]["error"] for record in caplog.records] == ["NoAnswer"]


def test_a_scrape_waits_no_longer_behind_others_than_for_the_database(database: str) -> None:
    """While the database does not answer, each of them keeps the one connection for all of its time."""

    async def scenario() -> dict[str, float]:
        figures = DatabaseFigures(database, [])
        async with figures._asking, asyncio.timeout(DEADLINE):
            found = await seen(figures)
        await figures.close()
        return found

    assert asyncio.run(scenario()) == {DATABASE_UP.name: 0}


def test_a_login_that_may_only_append_has_a_database_and_no_figures(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes no role that it has not: that would be an error in the server's log each time."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop role if exists appender_alone")
        connection.execute("create role appender_alone login password 'x' in role rosterlog_ingest")
    login = make_conninfo(database, user="appender_alone", password="x")

    async def scenario() -> dict[str, float]:
        figures = DatabaseFigures(login, [log_readings], asks=INGEST_ROLE)
        found = await seen(figures)
        assert figures._asked is not None
        assert figures._task is None
        await figures.close()
        return found

    assert asyncio.run(scenario()) == {DATABASE_UP.name: 1}
    assert caplog.records == []


@pytest.mark.parametrize("is_embedded", [True, False])
def test_an_ingest_reads_the_figures_in_the_role_of_the_api_if_it_may(database: str, *, is_embedded: bool) -> None:
    model.append(database, [model.body(1)])

    async def scenario() -> None:
        figures = DatabaseFigures(database if is_embedded else unmarked(database), [log_readings], asks=INGEST_ROLE)
        while HEAD.name not in await seen(figures):
            await asyncio.sleep(0.02)
        await figures.close()

    asyncio.run(asyncio.wait_for(scenario(), DEADLINE))


def test_scrapes_that_follow_each_other_read_once(database: str) -> None:
    reads = []

    def counted(_connection: Connection) -> Iterator[Reading]:
        reads.append(1)
        yield Reading(HEAD, ("movemint",), 1)

    async def scenario() -> None:
        figures = DatabaseFigures(database, [counted])
        await asyncio.gather(*(figures.read() for _ in range(20)))
        await figures.read()
        await figures.close()

    asyncio.run(scenario())
    assert reads == [1]


def test_what_was_read_long_ago_is_given_no_more_and_a_failure_is_said_once(
    database: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hole in a graph is seen; a number of yesterday is taken for one of now."""
    monkeypatch.setattr("ingest.web.figures._SCRAPE_SECONDS", DEADLINE)
    is_broken = False

    def one(connection: Connection) -> Iterator[Reading]:
        if is_broken:
            connection.execute(text("select from missing"))
        yield Reading(HEAD, ("movemint",), 1)

    async def scenario() -> list[dict[str, float]]:
        nonlocal is_broken
        figures = DatabaseFigures(database, [one])
        while HEAD.name not in await seen(figures):
            await asyncio.sleep(0.02)
        is_broken = True
        given = []
        for seconds in (10, 10, 60):  # in which nothing could be read
            figures._read_at -= seconds
            given.append(await seen(figures))
        is_broken = False
        while HEAD.name not in await seen(figures):
            await asyncio.sleep(0.02)
        await figures.close()
        return given

    up = {DATABASE_UP.name: 1.0}
    assert asyncio.run(scenario()) == [{**up, HEAD.name: 1}, {**up, HEAD.name: 1}, up]
    [record] = caplog.records
    assert record.message == "metrics could not be read from the database"
    said = {"error": "UndefinedTable", "sqlstate": "42P01", "message": 'relation "missing" does not exist'}
    assert record.__dict__["fields"] == said


def test_a_reading_that_takes_long_is_under_way_once_and_ends_with_the_server(database: str) -> None:
    reads = []

    def slow(connection: Connection) -> Iterator[Reading]:
        reads.append(1)
        connection.execute(text("select pg_sleep(15)"))
        yield Reading(HEAD, ("movemint",), 1)

    async def scenario() -> None:
        figures = DatabaseFigures(database, [slow])
        while not reads:
            await figures.read()
        assert HEAD.name not in await seen(figures)
        reading = figures._task
        await figures.close()
        assert reading is not None
        assert reading.cancelled(), "it is not waited for"
        sleeping = "query ~ '^select pg_sleep' and state = 'active' and datname = current_database()"
        assert query(database, f"select query from pg_stat_activity where {sleeping}") == []

    asyncio.run(scenario())
    assert reads == [1]


def test_a_session_that_was_ended_meanwhile_is_no_database_that_is_away(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a restart between two scrapes."""
    monkeypatch.setattr("ingest.web.figures._SCRAPE_SECONDS", DEADLINE)

    async def scenario() -> list[dict[str, float]]:
        figures = DatabaseFigures(database, [])
        before = await seen(figures)
        with psycopg.connect(database) as other:
            other.execute(
                "select pg_terminate_backend(pid, 60000) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
        after = await seen(figures)
        await figures.close()
        return [before, after]

    assert asyncio.run(scenario()) == [{DATABASE_UP.name: 1}] * 2


def test_all_numbers_of_a_reading_are_of_one_moment(database: str) -> None:
    def events(connection: Connection) -> Iterator[Reading]:
        yield Reading(HEAD, ("movemint",), connection.execute(text("select count(*) from event_log")).scalar_one())

    def events_and_one_more(connection: Connection) -> Iterator[Reading]:
        yield from events(connection)
        model.append(database, [model.body(1)])
        yield from events(connection)

    async def scenario() -> list[float]:
        figures = DatabaseFigures(database, [events_and_one_more])
        while len(found := await figures.read()) < 3:
            await asyncio.sleep(0.02)
        await figures.close()
        return [float(str(reading.value)) for reading in found[1:]]

    assert asyncio.run(scenario()) == [0, 0]
