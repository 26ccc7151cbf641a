"""Promise 16: sources that another session's locks hold up keep neither connections nor room from the others."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
import pytest

from ingest.connections import Connections
from ingest.database import INGEST_ROLE, connect_async
from ingest.group_commit import GroupCommit
from ingest.lanes import Limits
from ingest.log.event import Receipt
from ingest.session import Deadlines
from tests import DEADLINE
from tests.integration.log.test_group_commit import ROOMY, answered, delivery, with_commit
from tests.proxy import Proxy

STUCK = [f"stuck{number}" for number in range(6)]


@contextmanager
def locked(conninfo: str, sources: list[str]) -> Iterator[None]:
    """Another session that keeps the locks of these sources, as one that stands still within its transaction."""
    with psycopg.connect(conninfo) as holding:
        for source in sources:
            holding.execute("select pg_advisory_xact_lock(1919906927, hashtext(%s))", [source])
        yield


def hand_in(commit: GroupCommit, content: bytes, source: str) -> asyncio.Future[Receipt | None]:
    return asyncio.ensure_future(answered(commit.append(delivery(content, source))))


async def waiting_sessions(connection: psycopg.AsyncConnection[Any]) -> set[int]:
    """The sessions that wait for an advisory lock, as PostgreSQL says."""
    rows = await connection.execute("select pid from pg_locks where locktype = 'advisory' and not granted")
    return {row[0] for row in await rows.fetchall()}


@asynccontextmanager
async def looking(conninfo: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with asyncio.timeout(DEADLINE), await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as look:
        yield look


@pytest.mark.parametrize("is_known", [False, True], ids=["from the first moment", "once it is known who is stuck"])
def test_promise_16_a_source_is_answered_while_six_others_are_stuck(database: str, *, is_known: bool) -> None:
    async def scenario(commit: GroupCommit) -> tuple[list[bool], list[Receipt | None]]:
        with locked(database, STUCK):
            async with looking(database) as look:
                if is_known:
                    refused = [hand_in(commit, b"refused", source) for source in STUCK]
                    while not all(each.done() for each in refused):
                        for session in await waiting_sessions(look):
                            await look.execute("select pg_cancel_backend(%s)", [session])
                stuck = [hand_in(commit, b"stuck", source) for source in STUCK]
                while len(await waiting_sessions(look)) < 4:
                    await asyncio.sleep(0.02)
            others = [await hand_in(commit, b"%d" % number, "spring") for number in range(20)]
            return [each.done() for each in stuck], others

    stuck, others = with_commit(database, ROOMY, scenario)
    assert stuck == [False] * len(STUCK)  # nobody had to wait for one of them to be given up
    assert all(receipt is not None and receipt.stored for receipt in others)


def test_promise_16_a_source_that_is_freed_is_taken_again_by_itself(database: str) -> None:
    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        with locked(database, STUCK):
            refused = [hand_in(commit, b"first", source) for source in STUCK]
            assert not any([await each for each in refused])
        async with asyncio.timeout(DEADLINE):
            while not all([await hand_in(commit, b"again", source) for source in STUCK]):
                pass
        # Each is a usual source again, which may have many deliveries waiting.
        return await asyncio.gather(*(hand_in(commit, b"%d" % number, STUCK[0]) for number in range(20)))

    assert all(with_commit(database, Limits(10_000, 10**8, 2), scenario))


def test_promise_16_a_source_that_cannot_be_kept_now_makes_the_webhook_not_ready_and_is_named(database: str) -> None:
    async def scenario(commit: GroupCommit) -> list[str | None]:
        with locked(database, ["spring"]):
            assert await hand_in(commit, b"first", "spring") is None
            said = [await commit.hindrance()]
        async with asyncio.timeout(DEADLINE):
            while not await hand_in(commit, b"again", "spring"):
                pass
        return [*said, await commit.hindrance()]

    limits = Limits(10_000, 10**8, 2)
    assert with_commit(database, limits, scenario) == ["no commit in time for spring", None]


def test_promise_16_a_source_that_nobody_delivers_to_any_more_makes_the_webhook_not_ready_for_seconds_only(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.commit_failures._FAILING_SECONDS", 0.2)

    async def scenario(commit: GroupCommit) -> None:
        with locked(database, ["spring"]):
            assert await hand_in(commit, b"first", "spring") is None
            while await commit.hindrance() is not None:
                await asyncio.sleep(0.02)

    with_commit(database, Limits(10_000, 10**8, 1), scenario)


def test_promise_16_a_lock_that_is_held_for_a_while_costs_no_delivery(database: str) -> None:
    """Nor does a delivery that the database refuses, in the same batch."""
    with psycopg.connect(database) as connection:
        connection.execute("alter table event_log add constraint no_poison check (body <> 'poison'::bytea)")

    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        with locked(database, ["spring"]):
            waiting = [hand_in(commit, content, "spring") for content in (b"poison", b"1", b"2")]
            async with looking(database) as look:
                sessions: set[int] = set()
                while len(sessions) < 2 and not waiting[0].done():  # the second is the patient one
                    sessions |= await waiting_sessions(look)
                    await asyncio.sleep(0.02)
        return await asyncio.gather(*waiting)

    receipts = with_commit(database, ROOMY, scenario)
    assert [receipt is not None for receipt in receipts] == [False, True, True]


def test_promise_16_a_stuck_source_for_which_no_connection_can_be_made_refuses_no_other(database: str) -> None:
    """As when the database takes no more connections: the others have theirs."""
    no_more = False

    async def connect() -> psycopg.AsyncConnection[Any]:
        if no_more:
            raise psycopg.errors.TooManyConnections
        return await psycopg.AsyncConnection.connect(database, autocommit=True)

    async def run() -> list[Receipt | None]:
        nonlocal no_more
        async with GroupCommit(Connections(connect, 20), ROOMY).running() as commit, asyncio.timeout(DEADLINE):
            both = await asyncio.gather(hand_in(commit, b"before", "stuck"), hand_in(commit, b"before", "spring"))
            no_more = True
            with locked(database, ["stuck"]):
                stuck = await hand_in(commit, b"stuck", "stuck")
                return [*both, await hand_in(commit, b"after", "spring"), stuck]

    *others, stuck = asyncio.run(run())
    assert all(others)
    assert stuck is None


def test_promise_16_what_a_stuck_source_is_sent_takes_no_room_from_the_others(database: str) -> None:
    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        assert await hand_in(commit, b"first", STUCK[0]) is None
        flood = [hand_in(commit, b"%d" % number, STUCK[0]) for number in range(50)]
        others = [await hand_in(commit, b"%d" % number, "spring") for number in range(5)]
        assert not any([await each for each in flood])
        return others

    with locked(database, STUCK):
        others = with_commit(database, Limits(pending=10, pending_bytes=10**8, answer_seconds=2), scenario)
    assert all(others)


def test_promise_16_a_commit_without_an_answer_refuses_no_other_source(database: str) -> None:
    """The others go on at once: it says nothing about the database."""
    with psycopg.connect(database) as connection:
        connection.execute(
            "create function hang() returns trigger language plpgsql as $$ begin perform pg_sleep(600); end $$"
        )
        connection.execute(
            "create trigger hang before insert on event_log for each row "
            "when (new.source = 'hangs') execute function hang()"
        )

    async def connect() -> psycopg.AsyncConnection[Any]:
        return await connect_async(database, INGEST_ROLE, Deadlines(600, 600), read_only=False, autocommit=True)

    async def run() -> None:
        async with GroupCommit(Connections(connect, 1), ROOMY).running() as commit, asyncio.timeout(DEADLINE):
            assert await hand_in(commit, b"hangs", "hangs") is None
            after = hand_in(commit, b"after", "spring")
            await asyncio.sleep(0)
            assert not after.done()
            await after

    asyncio.run(run())


def test_promise_16_an_error_of_one_source_alone_refuses_no_other(database: str) -> None:
    """As a damaged page of an index has it: no fault of a delivery, nor of the server."""
    with psycopg.connect(database) as connection:
        connection.execute(
            "create function fail() returns trigger language plpgsql as $$ "
            "begin raise exception 'damaged' using errcode = 'XX001'; end $$"
        )
        connection.execute(
            "create trigger fail before insert on event_log for each row "
            "when (new.source = 'damaged') execute function fail()"
        )

    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        answers = []
        for number in range(5):
            assert await hand_in(commit, b"%d" % number, "damaged") is None
            answers.append(await hand_in(commit, b"%d" % number, "spring"))
        return answers

    assert all(with_commit(database, ROOMY, scenario))


def test_promise_16_a_connection_without_an_answer_takes_the_idle_ones_with_it(database: str) -> None:
    """What has happened to it has happened to them as well: each would cost a delivery."""
    with Proxy(database).running() as proxy:

        async def scenario(commit: GroupCommit) -> list[Receipt | None]:
            assert all(await asyncio.gather(*(hand_in(commit, b"before", source) for source in STUCK[:4])))
            proxy.silence()
            assert await hand_in(commit, b"lost", "spring") is None
            async with asyncio.timeout(DEADLINE):
                while await hand_in(commit, b"again", "spring") is None:
                    await asyncio.sleep(0.02)
            return await asyncio.gather(*(hand_in(commit, b"after", source) for source in STUCK[:4]))

        receipts = with_commit(proxy.conninfo, Limits(pending=10_000, pending_bytes=10**8, answer_seconds=3), scenario)
    assert all(receipts)
