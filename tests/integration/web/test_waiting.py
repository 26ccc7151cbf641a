"""Requests that wait for another revision: only a poll that began after them counts, and nobody polls for nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine

from ingest.database import API_ROLE, async_engine
from ingest.sqlstate import DRIVER_ERRORS
from projections.web.waiting import Waiting
from tests import DEADLINE, model
from tests.fold_all import drain


@asynccontextmanager
async def waiting_on(conninfo: str) -> AsyncIterator[tuple[Waiting, "asyncio.Task[None]"]]:
    engine = async_engine(conninfo, API_ROLE, read_only=True)
    waiting = Waiting(engine, DRIVER_ERRORS)
    polling = asyncio.create_task(waiting.run())
    try:
        yield waiting, polling
    finally:
        polling.cancel()
        await asyncio.wait([polling])
        await engine.dispose()


async def wait(waiting: Waiting, seconds: float = 60.0) -> float:
    """Wait for any revision; gives the seconds that it took."""
    begun = monotonic()
    async with asyncio.timeout(DEADLINE):
        await waiting.until("movemint", lambda _revision: True, seconds)
    return monotonic() - begun


def test_a_poll_that_was_under_way_counts_for_nobody_who_came_meanwhile(database: str, worker_engine: Engine) -> None:
    model.append(database, [model.body(1)])
    drain(worker_engine)

    async def scenario() -> None:
        async with waiting_on(database) as (waiting, _):
            assert await wait(waiting) < 30
            polls = waiting._polls
            assert polls >= 2
            await wait(waiting)
            assert waiting._polls >= polls + 2

    asyncio.run(scenario())


def test_nothing_is_polled_while_nobody_waits(database: str) -> None:
    async def polled(waiting: Waiting, more_than: int) -> None:
        while waiting._polls <= more_than:
            await asyncio.sleep(0.01)

    async def scenario() -> None:
        async with waiting_on(database) as (waiting, polling):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(polled(waiting, 0), 0.3)
            somebody = asyncio.create_task(wait(waiting, DEADLINE))  # there is no such source
            await asyncio.wait_for(polled(waiting, 0), DEADLINE)
            somebody.cancel()
            await asyncio.wait([somebody])
            last = waiting._polls
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(polled(waiting, last + 1), 0.3)
            assert not polling.done()

    asyncio.run(scenario())


def test_between_two_polls_there_is_a_pause_however_long_somebody_waits(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.web.waiting._POLL_SECONDS", DEADLINE)

    async def scenario() -> None:
        async with waiting_on(database) as (waiting, _):
            await wait(waiting, 0.5)
            assert waiting._polls == 1

    asyncio.run(scenario())


def test_a_database_that_is_away_is_asked_seldom_and_ends_no_polling(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with waiting_on(make_conninfo(database, host="127.0.0.1", port="1")) as (waiting, polling):
            await wait(waiting, 0.5)
            assert waiting._polls == 1
            assert not polling.done()

    asyncio.run(scenario())
    fields = caplog.records[0].__dict__["fields"]
    assert (caplog.records[0].message, fields["error"]) == ("roster unreadable", "OperationalError")
    assert "Connection refused" in fields["message"]
