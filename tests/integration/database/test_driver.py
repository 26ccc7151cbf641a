"""The driver's connections: a wait has its deadline, and one without an answer ends its connection, as nothing else."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from ingest.driver import AsyncConnection, NoAnswer, SyncConnection, answered_within

LONG = 30.0  # seconds: a statement that is not given up ends by itself then, and the test sees no error
SLEEP = f"select pg_sleep({LONG})"

# Runs statements on a new connection whose waits may last so many seconds; gives the error, and if it is closed then.
Run = Callable[[str, float, str], tuple[psycopg.Error | None, bool]]


def _run_sync(conninfo: str, seconds: float, statements: str) -> tuple[psycopg.Error | None, bool]:
    with SyncConnection.connect(conninfo, autocommit=True) as connection:
        connection.wait_seconds = seconds
        try:
            connection.execute(statements.encode())
        except psycopg.Error as error:
            return error, connection.closed
        return None, connection.closed


def _run_async(conninfo: str, seconds: float, statements: str) -> tuple[psycopg.Error | None, bool]:
    async def run() -> tuple[psycopg.Error | None, bool]:
        async with await AsyncConnection.connect(conninfo, autocommit=True) as connection:
            connection.wait_seconds = seconds
            try:
                await connection.execute(statements.encode())
            except psycopg.Error as error:
                return error, connection.closed
            return None, connection.closed

    return asyncio.run(run())


@pytest.fixture(params=[_run_sync, _run_async], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - a parameter
    return request.param


def test_a_connection_that_has_no_answer_in_time_is_closed(shared: str, run: Run) -> None:
    error, is_closed = run(shared, 0.1, SLEEP)
    assert isinstance(error, NoAnswer)
    assert is_closed


@pytest.mark.parametrize(
    ("outer", "inner", "own"),
    [(600, 0.1, 600), (0.1, 600, 600), (600, 600, 0.1), (600, -1.0, 600)],
    ids=["inner", "outer", "of the connection", "over already"],
)
def test_the_shortest_deadline_of_all_holds(shared: str, run: Run, outer: float, inner: float, own: float) -> None:
    with answered_within(outer), answered_within(inner):
        assert isinstance(run(shared, own, SLEEP)[0], NoAnswer)


def test_what_the_server_refuses_leaves_the_connection_as_it_is(shared: str, run: Run) -> None:
    error, is_closed = run(shared, 600, "set statement_timeout = 1; " + SLEEP)
    assert isinstance(error, psycopg.errors.QueryCanceled)
    assert not is_closed
