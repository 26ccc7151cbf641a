"""A server that is read and hangs: what is asked of it just then is answered by another one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from sqlalchemy import text

from ingest.driver import NoAnswer
from ingest.read_hosts import ReadHost
from projections.web.replicas import Replicas
from tests import DEADLINE
from tests.proxy import Proxy

_ANSWER = text("select 1")


@asynccontextmanager
async def watched(proxy: Proxy, primary: str | None) -> AsyncIterator[Replicas]:
    """Two replicas on one server, and perhaps a primary."""
    replicas = Replicas([ReadHost(1, proxy.conninfo), ReadHost(2, proxy.conninfo)], primary, most_behind=0)
    await replicas.begin()
    looking = asyncio.create_task(replicas.run())
    try:
        async with asyncio.timeout(DEADLINE):
            yield replicas
    finally:
        looking.cancel()
        await replicas.close()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


async def ask(proxy: Proxy, replicas: Replicas, errors: list[BaseException | None]) -> None:
    """Ask twice; between the two the server falls silent, to new connections as well."""
    async with replicas.answering.connect() as connection:
        await connection.execute(_ANSWER)
        proxy.swallows = True
        try:
            await connection.execute(_ANSWER)
        except Exception as error:
            errors.append(error.__cause__)
            raise


def test_promise_16_a_question_under_way_is_ended_where_another_server_can_answer_it(database: str) -> None:
    errors: list[BaseException | None] = []

    async def run() -> None:
        with Proxy(database).running() as proxy:
            async with watched(proxy, database) as replicas:
                await replicas.tried_again(lambda: ask(proxy, replicas, errors), 60)

    asyncio.run(run())
    assert len(errors) == 1
    assert not isinstance(errors[0], NoAnswer), "its own deadline ended it"


def test_a_question_under_way_is_not_ended_where_no_other_server_can_answer_it(database: str) -> None:
    """The server may be slow and no more."""
    errors: list[BaseException | None] = []

    async def run() -> None:
        with Proxy(database).running() as proxy:
            async with watched(proxy, None) as replicas:
                asked = asyncio.create_task(ask(proxy, replicas, errors))
                await until(lambda: all(server.missed > 2 for server in replicas.servers))
                assert not asked.done()
                asked.cancel()
                with suppress(asyncio.CancelledError):
                    await asked

    asyncio.run(run())
    assert errors == []
