"""What is asked again, of one server or of another, and what is not. Nobody answers at any of the addresses."""

import asyncio
from contextlib import suppress

import pytest
from psycopg import errors
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ingest.read_hosts import ReadHost
from projections.web.hindrances import roster_checks
from projections.web.replicas import NothingToRead, Replicas
from tests import DEADLINE

NOWHERE = "host=127.0.0.1 port=1 connect_timeout=2"
ONE, TWO = ReadHost(1, NOWHERE), ReadHost(2, NOWHERE)


def tries(error: Exception, *hosts: ReadHost, primary: str | None = None) -> int:
    """How often an attempt is made that fails with this error, while servers are looked at."""
    tried = 0

    async def scenario() -> None:
        replicas = Replicas(hosts, primary, 30.0)

        async def attempt() -> None:
            nonlocal tried
            tried += 1
            raise error

        looking = asyncio.create_task(replicas.run())
        with pytest.raises(type(error)):
            await replicas.tried_again(attempt, 60.0)
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        await replicas.close()

    asyncio.run(scenario())
    return tried


def test_what_another_server_may_answer_is_asked_three_times() -> None:
    assert tries(errors.AdminShutdown(), ONE, TWO) == 3
    assert tries(PoolTimeout(), ONE, primary=NOWHERE) == 3


def test_what_would_fail_again_is_asked_once() -> None:
    assert tries(errors.QueryCanceled(), ONE, TWO) == 1
    assert tries(errors.UndefinedTable(), ONE, TWO) == 1
    assert tries(NothingToRead(), ONE, TWO) == 1


def test_one_server_alone_is_asked_once_and_read_whatever_happens() -> None:
    assert tries(errors.AdminShutdown(), ONE) == 1
    assert tries(errors.SerializationFailure(), ONE) == 3, "which a replica ended to go on following"

    async def scenario() -> tuple[str | None, str | None, list[float]]:
        alone, several = Replicas([ONE], None, 30.0), Replicas([ONE, TWO], None, 30.0)
        for replicas in (alone, several):
            await replicas.begin()
        with pytest.raises(NothingToRead, match="replica 1: it does not answer; replica 2: it does not answer"):
            several.answering.connect()
        said = [float(str(each.value)) for each in several.readings()]
        assert alone.readings() == []
        return alone.chosen, several.chosen, said

    assert asyncio.run(scenario()) == ("replica 1", None, [1, 1])


def test_an_error_leads_on_to_another_server_if_there_is_one_that_is_not_left_out() -> None:
    async def scenario() -> list[bool]:
        replicas = Replicas([ONE, TWO], None, 30.0)
        error = errors.AdminShutdown()
        before = [replicas.leads_on(error), replicas.leads_on(errors.UndefinedTable())]
        await replicas.begin()
        return [*before, replicas.leads_on(error)]

    assert asyncio.run(scenario()) == [True, False, False]


def test_a_server_that_cannot_be_read_and_is_not_left_out_either_hinders_after_seconds() -> None:
    async def scenario() -> list[str | None]:
        check = roster_checks(Replicas([ONE, TWO], None, 30.0), [])["roster"]  # nobody looks at them
        said = [await check()]
        async with asyncio.timeout(DEADLINE):
            while said[-1] is None:
                await asyncio.sleep(0.2)
                said.append(await check())
        return said

    said = asyncio.run(scenario())
    assert said[0] is None, "until the next look"
    assert said[-1] == "it cannot be read"
