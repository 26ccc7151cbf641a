"""Group commit: everybody's own outcome, bounded waiting, and recovery by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ingest.connections import Connections
from ingest.database import INGEST_ROLE, connect_async
from ingest.group_commit import GroupCommit, Limits, NotKept
from ingest.log.event import Delivery, Receipt
from ingest.session import Deadlines
from tests import DEADLINE, model
from tests.proxy import Proxy

ROOMY = Limits(pending=10_000, pending_bytes=10**8, answer_seconds=20)


def delivery(content: bytes, source: str = "movemint") -> Delivery:
    return Delivery(source, content, model.signature(content))


async def answered(answer: Awaitable[Receipt]) -> Receipt | None:
    try:
        return await answer
    except NotKept:
        return None


def hand_in(commit: GroupCommit, content: bytes) -> Awaitable[Receipt | None]:
    async def run() -> Receipt | None:
        try:
            return await commit.append(delivery(content))
        except NotKept:
            return None

    return asyncio.ensure_future(run())


def with_commit(conninfo: str, limits: Limits, scenario: Callable[[GroupCommit], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever the scenario gives
    deadlines = Deadlines(statement=0.8 * limits.answer_seconds, idle=limits.answer_seconds)

    async def connect() -> psycopg.AsyncConnection[Any]:
        return await connect_async(conninfo, INGEST_ROLE, deadlines, read_only=False, autocommit=True)

    async def run() -> Any:  # noqa: ANN401
        connections = Connections(connect, limits.answer_seconds)
        async with GroupCommit(connections, limits).running() as commit, asyncio.timeout(DEADLINE):
            return await scenario(commit)

    return asyncio.run(run())


def test_promise_6_the_same_delivery_raced_50_times_is_stored_once(database: str) -> None:
    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        return await asyncio.gather(*(hand_in(commit, b"the same") for _ in range(50)))

    receipts = with_commit(database, ROOMY, scenario)
    assert {receipt.position for receipt in receipts} == {1}
    assert sum(receipt.stored for receipt in receipts) == 1
    assert model.stored_bodies(database) == [b"the same"]


def test_promise_4_deliveries_that_arrive_together_share_a_commit(database: str) -> None:
    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        return await asyncio.gather(*(hand_in(commit, b"%d" % number) for number in range(200)))

    receipts = with_commit(database, ROOMY, scenario)
    assert [receipt.position for receipt in receipts] == list(range(1, 201))
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "select count(distinct received_at), count(distinct xmin::text) from event_log"
        ).fetchone()
    assert row is not None
    assert row[1] <= 4


def test_promise_4_a_poisoned_delivery_in_a_batch_of_100_leaves_99_stored(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("alter table event_log add constraint no_poison check (body <> 'poison'::bytea)")
    contents = [b"%d" % number for number in range(99)]
    contents.insert(40, b"poison")

    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        return await asyncio.gather(*(hand_in(commit, content) for content in contents))

    receipts = with_commit(database, ROOMY, scenario)
    assert receipts[40] is None
    assert all(receipt.stored for index, receipt in enumerate(receipts) if index != 40)
    assert sorted(model.stored_bodies(database)) == sorted(set(contents) - {b"poison"})


def test_a_locked_log_answers_in_time_and_goes_on_by_itself(database: str) -> None:
    limits = Limits(pending=10_000, pending_bytes=10**8, answer_seconds=0.3)

    async def scenario(commit: GroupCommit) -> tuple[list[Receipt | None], Receipt | None]:
        async with await psycopg.AsyncConnection.connect(database) as blocker:
            await blocker.execute("lock table event_log in access exclusive mode")
            refused = await asyncio.gather(*(hand_in(commit, b"%d" % number) for number in range(20)))
            assert await hand_in(commit, b"at once") is None
        async with asyncio.timeout(DEADLINE):
            while (kept := await hand_in(commit, b"after")) is None:
                await asyncio.sleep(0.02)
        return refused, kept

    refused, kept = with_commit(database, limits, scenario)
    assert refused == [None] * 20
    assert kept is not None
    # What was under way when its sender was refused was kept even so; the redelivery will be a duplicate.
    assert set(model.stored_bodies(database)) >= {b"after"}


def test_promise_16_a_source_that_is_stuck_refuses_no_other(database: str) -> None:
    async def scenario(commit: GroupCommit) -> tuple[list[Receipt | None], list[Receipt | None]]:
        stuck, others = [], []
        for number in range(30):
            stuck.append(asyncio.ensure_future(answered(commit.append(delivery(b"%d" % number, "stuck")))))
            others.append(await answered(commit.append(delivery(b"%d" % number, "spring"))))
            await asyncio.sleep(0.1)
        return [await each for each in stuck], others

    with psycopg.connect(database) as holding:
        holding.execute("select pg_advisory_xact_lock(1919906927, hashtext('stuck'))")
        limits = Limits(pending=10_000, pending_bytes=10**8, answer_seconds=0.5)
        stuck, others = with_commit(database, limits, scenario)
    assert not any(stuck)
    assert all(receipt is not None and receipt.stored for receipt in others)


def test_readiness_means_that_an_append_would_be_taken(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("alter function append_events rename to something_else")

    async def scenario(commit: GroupCommit) -> bool:
        return await commit.hindrance() is None

    assert with_commit(database, ROOMY, scenario) is False


def test_what_waits_is_bounded_in_number_and_bytes(database: str) -> None:
    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        async with await psycopg.AsyncConnection.connect(database) as blocker:
            await blocker.execute("lock table event_log in access exclusive mode")
            waiting = [hand_in(commit, b"%03d" % number) for number in range(30)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return await asyncio.gather(*waiting)

    by_number = with_commit(database, Limits(10, 10**8, 20), scenario)
    assert sum(receipt is not None for receipt in by_number) == 10
    by_bytes = with_commit(database, Limits(100, 21, 20), scenario)
    assert sum(receipt is not None for receipt in by_bytes) == 7


def test_a_restart_of_the_database_costs_no_delivery(database: str) -> None:
    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        first = await hand_in(commit, b"before")
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
        return [first, await hand_in(commit, b"after")]

    assert [receipt.position for receipt in with_commit(database, ROOMY, scenario)] == [1, 2]


def test_a_database_that_is_away_refuses_at_once_and_all(database: str) -> None:
    away = make_conninfo(database, port="1", host="127.0.0.1")

    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        assert await commit.hindrance() is not None
        return await asyncio.gather(*(hand_in(commit, b"%d" % number) for number in range(20)))

    assert with_commit(away, ROOMY, scenario) == [None] * 20


def test_at_the_end_what_was_accepted_is_committed_and_answered(database: str) -> None:
    waiting: list[Awaitable[Receipt | None]] = []

    async def scenario(commit: GroupCommit) -> None:
        waiting.extend(hand_in(commit, b"%d" % number) for number in range(500))
        await asyncio.sleep(0)

    async def run() -> list[Receipt | None]:
        async def connect() -> psycopg.AsyncConnection[Any]:
            return await psycopg.AsyncConnection.connect(database, autocommit=True)

        async with GroupCommit(Connections(connect, ROOMY.answer_seconds), ROOMY).running() as commit:
            await scenario(commit)
        return await asyncio.gather(*waiting)

    assert all(receipt is not None for receipt in asyncio.run(run()))
    assert len(model.stored_bodies(database)) == 500


@pytest.mark.parametrize(
    ("state", "said"), [("53100", "the database's disk is full"), ("25006", "the database is read-only")]
)
def test_a_server_that_writes_nothing_is_said_until_it_writes_again(database: str, state: str, said: str) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(
            "create function refuse() returns trigger language plpgsql as "
            f"$$ begin raise exception 'no' using errcode = '{state}'; end $$"
        )
        owner.execute("create trigger refuse before insert on event_log for each row execute function refuse()")

        async def scenario(commit: GroupCommit) -> tuple[Receipt | None, str | None, str | None]:
            refused, hindrance = await hand_in(commit, b"1"), await commit.hindrance()
            owner.execute("drop trigger refuse on event_log")
            while await hand_in(commit, b"2") is None:
                await asyncio.sleep(0.02)
            return refused, hindrance, await commit.hindrance()

        assert with_commit(database, ROOMY, scenario) == (None, said, None)


def test_a_disk_that_is_full_refuses_what_follows_at_once_and_is_not_ready(database: str) -> None:
    async def scenario(commit: GroupCommit) -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(
                "create function full_disk() returns trigger language plpgsql as $$ "
                "begin raise exception 'full' using errcode = 'disk_full'; end $$"
            )
            connection.execute(
                "create trigger full_disk before insert on event_log for each row execute function full_disk()"
            )
            assert await hand_in(commit, b"first") is None
            second = commit.append(delivery(b"second"))
            assert second.done()
            assert isinstance(second.exception(), NotKept)
            assert await commit.hindrance() == "the database's disk is full"
            connection.execute("drop trigger full_disk on event_log")
        async with asyncio.timeout(DEADLINE):
            while await hand_in(commit, b"third") is None:
                await asyncio.sleep(0.02)
        assert await commit.hindrance() is None

    with_commit(database, ROOMY, scenario)


def test_a_source_whose_commit_has_no_answer_is_refused_at_once_and_named(database: str) -> None:
    with Proxy(database).running() as proxy:

        async def connect() -> psycopg.AsyncConnection[Any]:
            return await connect_async(proxy.conninfo, INGEST_ROLE, Deadlines(20, 20), read_only=False, autocommit=True)

        async def run() -> None:
            limits = Limits(pending=10_000, pending_bytes=10**8, answer_seconds=1)
            async with GroupCommit(Connections(connect, 20), limits).running() as commit:
                assert await hand_in(commit, b"before")
                proxy.silence()
                assert await hand_in(commit, b"first") is None
                second = commit.append(delivery(b"second"))
                assert second.done()
                assert isinstance(second.exception(), NotKept)
                assert await commit.hindrance() == "no commit in time for movemint"

        asyncio.run(run())
