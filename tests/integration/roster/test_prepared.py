"""What finds rows by their key is prepared once for a session, and read of whichever build is live."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingest.database import API_ROLE, async_engine
from projections.participants.table import PARTICIPANT_COLUMNS
from projections.rebuild.swap import swap
from projections.roster.history import states
from projections.roster.page import participant
from projections.roster.reading import in_snapshot
from projections.roster.roster import Roster
from projections.roster.shown import Shown
from projections.web.access import tokens
from tests import model
from tests.api_client import make_token, running
from tests.fold_all import build_anew, drain, fill
from tests.other_definition import OTHER, PEOPLE

ROSTER = Roster("movemint", None)
PREPARED = text("select statement, generic_plans + custom_plans as times from pg_prepared_statements order by 1")


async def in_each_snapshot(
    engine: AsyncEngine, token: str, number: int, ask: Callable[[AsyncConnection], Awaitable[Any]]
) -> list[Any]:
    answers = []
    for _ in range(number):
        async with in_snapshot(engine, tokens.LOOKED_UP, {"digest": tokens.digest(token)}) as (connection, row):
            assert row.source == "movemint"
            answers.append(await ask(connection))
    return answers


def asked(database: str, ask: Callable[[AsyncEngine], Awaitable[Any]]) -> Any:  # noqa: ANN401
    """What is asked over one session of the API."""

    async def over_one() -> Any:  # noqa: ANN401
        engine = async_engine(database, API_ROLE, read_only=True, most=1)
        try:
            return await ask(engine)
        finally:
            await engine.dispose()

    return asyncio.run(over_one())


async def prepared(engine: AsyncEngine) -> dict[str, int]:
    async with engine.connect() as connection:
        return {row.statement: row.times for row in await connection.execute(PREPARED)}


def test_what_is_found_by_its_key_is_prepared_once_for_all_of_a_session(database: str, engine: Engine) -> None:
    token = make_token(engine)
    fill(database, [model.body(1)])

    async def ask(reading: AsyncEngine) -> tuple[list[bytes], dict[str, int]]:
        found = await in_each_snapshot(reading, token, 7, lambda connection: participant(connection, ROSTER, "1"))
        return found, await prepared(reading)

    found, times = asked(database, ask)
    assert len({*found}) == 1
    assert found[0].startswith(b'{"participant_id":"1",')
    assert [*times.values()] == [7, 7], "the token's look-up and the participant"


def test_what_comes_often_is_planned_for_its_values(database: str, engine: Engine) -> None:
    token, often = make_token(engine), text("select count(*) from participants where event_id = :event_id")
    fill(database, [model.body(1)])

    async def ask(reading: AsyncEngine) -> dict[str, int]:
        await in_each_snapshot(reading, token, 20, lambda connection: connection.execute(often, {"event_id": "1"}))
        return await prepared(reading)

    assert [*asked(database, ask).values()] == [20], "the token's look-up alone"


def test_what_is_refused_and_what_looks_beside_it_leave_it_prepared(database: str, engine: Engine) -> None:
    token = make_token(engine)
    fill(database, [model.body(1)])

    async def refuse(connection: AsyncConnection) -> None:
        assert await participant(connection, ROSTER, "2") is None
        raise LookupError

    async def ask(reading: AsyncEngine) -> dict[str, int]:
        for _ in range(3):
            with pytest.raises(LookupError):
                await in_each_snapshot(reading, token, 1, refuse)
            async with reading.connect() as connection:
                await connection.execute(text("select 1"))
        return await prepared(reading)

    assert [*asked(database, ask).values()] == [3, 3]


def test_a_session_keeps_some_statements_whatever_is_asked(database: str, engine: Engine) -> None:
    token = make_token(engine)
    fill(database, [model.body(1)])
    names = [column.name for column in PARTICIPANT_COLUMNS]

    async def ask(reading: AsyncEngine) -> dict[str, int]:
        for number in range(len(names)):
            shown = Shown(columns=tuple(names[number:]))
            await in_each_snapshot(reading, token, 1, lambda connection: participant(connection, ROSTER, "1", shown))  # noqa: B023
        return await prepared(reading)

    assert 10 < len(asked(database, ask)) <= 20 < len(names)


@pytest.mark.parametrize("ends", [True, False], ids=["when all is read", "before"])
def test_a_session_that_is_lost_is_told_as_that_and_replaced(
    database: str, engine: Engine, caplog: pytest.LogCaptureFixture, *, ends: bool
) -> None:
    token = make_token(engine)
    fill(database, [model.body(1)])

    async def lose(connection: AsyncConnection) -> bytes | None:
        pid = (await connection.execute(text("select pg_backend_pid()"))).scalar_one()
        found = await participant(connection, ROSTER, "1") if ends else None
        with psycopg.connect(database, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s, 10000)", (pid,))
        return found if ends else await participant(connection, ROSTER, "1")

    async def ask(reading: AsyncEngine) -> list[Any]:
        if ends:
            found = await in_each_snapshot(reading, token, 1, lose)
        else:
            with pytest.raises(psycopg.errors.AdminShutdown):
                await in_each_snapshot(reading, token, 1, lose)
            found = []
        return found + await in_each_snapshot(
            reading, token, 1, lambda connection: participant(connection, ROSTER, "1")
        )

    assert {row[:21] for row in asked(database, ask)} == {b'{"participant_id":"1"'}
    assert not caplog.records


def test_an_answer_that_fails_leaves_a_session_that_answers(database: str, engine: Engine) -> None:
    token = make_token(engine)
    fill(database, [model.body(1)])

    async def ask(reading: AsyncEngine) -> list[Any]:
        async with in_snapshot(reading, tokens.LOOKED_UP, {"digest": tokens.digest(token)}) as (connection, _):
            with pytest.raises(DBAPIError, match="division by zero"):
                await connection.execute(text("select 1 / 0"))
        return await in_each_snapshot(reading, token, 2, lambda connection: participant(connection, ROSTER, "1"))

    assert len(asked(database, ask)) == 2


def test_a_session_reads_the_build_that_has_gone_live_meanwhile(database: str, engine: Engine) -> None:
    token = make_token(engine)
    fill(database, PEOPLE)
    with running(database) as api:

        def bibs() -> set[str]:
            states = api.listed("/v1/participants/7/history", token)
            return {api.ask("/v1/participants/7", token).json()["bib"], states[-1]["participant"]["bib"]}

        assert [bibs() for _ in range(8)] == [{"old"}] * 8
        swap(engine, OTHER, build_anew(engine, OTHER), 100)
        assert [bibs() for _ in range(8)] == [{"new"}] * 8


def test_a_history_longer_than_is_read_at_once_is_whole(database: str, engine: Engine, worker_engine: Engine) -> None:
    token = make_token(engine)
    model.append(database, [model.body(1, bib=str(number)) for number in range(61)])
    drain(worker_engine)
    with running(database) as api:
        for limit in (24, 25, 26, 50, 60, 61, 100):
            states = api.listed("/v1/participants/1/history", token, limit=limit)
            assert [state["participant"]["bib"] for state in states] == [str(number) for number in range(61)], limit


def test_no_more_states_are_read_than_asked_for(database: str, engine: Engine) -> None:
    token = make_token(engine)
    fill(database, [model.body(1, bib=str(number)) for number in range(61)])

    async def ask(connection: AsyncConnection) -> list[int]:
        return [state.position async for state in states(connection, ROSTER, "1", 3, 30)]

    assert asked(database, lambda reading: in_each_snapshot(reading, token, 1, ask)) == [[*range(4, 34)]]
