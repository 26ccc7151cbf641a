"""The connections for appending: which are kept, what is done again, and how long a use may last."""

import asyncio
from typing import Any

import psycopg
import pytest

from ingest.connections import Connections
from ingest.driver import AsyncConnection, NoAnswer
from ingest.log.append import can_append
from tests import DEADLINE
from tests.proxy import Proxy


@pytest.mark.parametrize(
    ("error", "times"),
    [(psycopg.errors.LockNotAvailable, 1), (psycopg.errors.QueryCanceled, 1), (psycopg.errors.AdminShutdown, 2)],
)
def test_what_took_long_is_not_done_a_second_time(database: str, error: type[psycopg.Error], times: int) -> None:
    """While what failed on a kept connection is, on a new one: a restart of the database costs no delivery."""
    done: list[int] = []

    async def connect() -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(database, autocommit=True)

    async def work(_connection: psycopg.AsyncConnection[Any]) -> None:
        done.append(1)
        raise error

    async def run() -> None:
        connections = Connections(connect, 20)
        await connections.use(can_append)
        with pytest.raises(error):
            await connections.use(work)
        await connections.close()

    asyncio.run(run())
    assert len(done) == times


def test_a_way_to_the_database_that_answers_nothing_is_tried_beside_another(database: str) -> None:
    tries: list[int] = []

    async def connect() -> psycopg.AsyncConnection[Any]:
        tries.append(1)
        if len(tries) == 1:
            await asyncio.Event().wait()
        return await psycopg.AsyncConnection.connect(database, autocommit=True)

    async def run() -> bool:
        connections = Connections(connect, 30)
        try:
            return await connections.use(can_append)
        finally:
            await connections.close()

    assert asyncio.run(run())
    assert len(tries) == 2


def test_a_connection_that_is_left_in_a_transaction_is_not_used_again(database: str) -> None:
    used: list[psycopg.AsyncConnection[Any]] = []

    async def connect() -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(database, autocommit=True)

    async def begin(connection: psycopg.AsyncConnection[Any]) -> None:
        used.append(connection)
        await connection.execute("begin")

    async def run() -> None:
        connections = Connections(connect, 20)
        for _ in range(2):
            await connections.use(begin)
        await connections.close()

    asyncio.run(run())
    assert used[0] is not used[1]
    assert used[0].closed


@pytest.mark.parametrize("is_patient", [False, True])
def test_promise_16_a_use_has_its_deadline_whatever_its_connection_says(database: str, *, is_patient: bool) -> None:
    async def connect() -> AsyncConnection:
        connection = await AsyncConnection.connect(database, autocommit=True)
        connection.wait_seconds = 600
        return connection

    async def work(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute("select pg_sleep(20)")

    async def run() -> None:
        connections = Connections(connect, 1)
        with pytest.raises(NoAnswer):
            await (connections.use_patiently if is_patient else connections.use)(work)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("error", "made"),
    [
        (psycopg.errors.LockNotAvailable, 2),
        (psycopg.errors.QueryCanceled, 2),
        (psycopg.errors.DiskFull, 4),
    ],
)
def test_what_took_long_says_nothing_about_the_idle_ones(database: str, error: type[psycopg.Error], made: int) -> None:
    """While what a server refuses to one connection it refuses to all that are open."""
    connected: list[int] = []

    async def connect() -> psycopg.AsyncConnection[Any]:
        connected.append(1)
        return await psycopg.AsyncConnection.connect(database, autocommit=True)

    async def run() -> None:
        connections = Connections(connect, 20)
        both = asyncio.Barrier(2)

        async def meet(_connection: psycopg.AsyncConnection[Any]) -> None:
            await both.wait()

        async def fail(_connection: psycopg.AsyncConnection[Any]) -> None:
            raise error

        await asyncio.gather(connections.use(meet), connections.use(meet))
        with pytest.raises(error):
            await connections.use(fail)
        await connections.use(can_append)
        await connections.close()

    asyncio.run(run())
    assert len(connected) == made


def test_readiness_is_looked_up_once_a_second_however_often_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.connections._PROBE_SECONDS", 3600.0)
    tries: list[int] = []

    async def connect() -> psycopg.AsyncConnection[Any]:
        tries.append(1)
        await asyncio.sleep(0)
        raise psycopg.OperationalError

    async def run() -> None:
        connections = Connections(connect, 20)
        assert not any(await asyncio.gather(*(connections.is_ready() for _ in range(20))))
        assert not await connections.is_ready()
        assert len(tries) == 1
        monkeypatch.setattr("ingest.connections._PROBE_SECONDS", 0.0)
        assert not await connections.is_ready()
        assert len(tries) == 2

    asyncio.run(run())


def test_readiness_waits_for_long_neither_for_an_answer_nor_for_its_turn(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.connections._PROBE_SECONDS", 0.0)

    async def run(proxy: Proxy) -> None:
        async def connect() -> AsyncConnection:
            connection = await AsyncConnection.connect(proxy.conninfo, autocommit=True)
            connection.wait_seconds = 2 * DEADLINE
            return connection

        connections = Connections(connect, 2 * DEADLINE, most=1)

        async def becomes_ready() -> None:
            while not await connections.is_ready():
                pass

        async with asyncio.timeout(DEADLINE):
            await becomes_ready()
            proxy.silence()
            assert not await connections.is_ready()
            await becomes_ready()
            begun, over = asyncio.Event(), asyncio.Event()

            async def hold(_connection: psycopg.AsyncConnection[Any]) -> None:
                begun.set()
                await over.wait()

            using = asyncio.create_task(connections.use(hold))
            await begun.wait()
            assert not await connections.is_ready()
            over.set()
            await using
            await becomes_ready()
        await connections.close()

    with Proxy(database).running() as proxy:
        asyncio.run(run(proxy))
