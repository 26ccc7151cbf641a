"""Counts of refused deliveries: none is lost while the database is away, and they take a bounded room."""

import asyncio
from collections.abc import Callable

import psycopg
import pytest

from ingest.refusals import Numbers, Reason, Refusals

WRONG = Reason.SIGNATURE_WRONG


class Database:
    """Takes numbers, unless it is told to do something else with them first."""

    def __init__(self) -> None:
        self.written: dict[str, int] = {}
        self.last: list[str] = []
        self.before: Callable[[], None] = lambda: None
        self.hangs = False

    async def write(self, numbers: Numbers) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        self.before()
        self.last = [source for source, _, _ in numbers]
        for (source, _, _), (number, _) in numbers.items():
            self.written[source] = self.written.get(source, 0) + number


@pytest.mark.parametrize("error", [psycopg.OperationalError, TimeoutError])
def test_what_cannot_be_written_is_written_later_with_what_came_meanwhile(error: type[Exception]) -> None:
    database = Database()
    refusals = Refusals(database.write)

    def fail() -> None:
        refusals.count("spring", WRONG)  # while it is being written
        refusals.count("late", WRONG)
        raise error

    async def run() -> None:
        await refusals.flush()
        refusals.count("spring", WRONG)
        database.before = fail
        await refusals.flush()
        assert database.written == {}
        database.before = lambda: None
        await refusals.flush()
        await refusals.flush()

    asyncio.run(run())
    assert database.written == {"spring": 2, "late": 1}


def test_what_is_being_written_when_the_server_stops_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.refusals.FLUSH_SECONDS", 0.0)
    database = Database()
    database.hangs = True

    async def run() -> None:
        refusals = Refusals(database.write)
        refusals.count("spring", WRONG)
        writing = asyncio.create_task(refusals.run())
        while refusals._unwritten:
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait([writing])
        database.hangs = False
        await refusals.flush()

    asyncio.run(run())
    assert database.written == {"spring": 1}


def test_of_what_waits_for_a_database_that_is_away_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.refusals._MOST_KEPT", 3)
    database = Database()
    refusals = Refusals(database.write)

    def fail() -> None:
        refusals.count("newest", WRONG)
        raise psycopg.OperationalError

    async def run() -> None:
        for source in "abcd":
            refusals.count(source, WRONG)
        database.before = fail
        await refusals.flush()
        database.before = lambda: None
        await refusals.flush()

    asyncio.run(run())
    assert database.last == ["c", "d", "newest"]
    assert sum(refusals.total.values()) == 5
