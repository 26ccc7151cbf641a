"""What metrics read from a database that is slow, away, or shows little to a login."""

import asyncio
from collections.abc import Iterator

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection

from ingest.log.figures import log_readings
from ingest.metrics import DATABASE_UP, HEAD, Reading
from ingest.web.figures import DatabaseFigures
from tests import model
from tests.proxy import Proxy


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


def test_a_login_that_may_only_append_has_a_database_and_no_figures(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop role if exists appender_alone")
        connection.execute("create role appender_alone login password 'x' in role rosterlog_ingest")
    login = make_conninfo(database, user="appender_alone", password="x")

    async def scenario() -> dict[str, float]:
        figures = DatabaseFigures(login, [log_readings])
        found = await seen(figures)
        await figures.close()
        return found

    assert asyncio.run(scenario()) == {DATABASE_UP.name: 1}


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
