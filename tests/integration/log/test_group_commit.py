"""Group commit: everybody's own outcome, bounded waiting, and recovery by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg

from ingest.connections import Connections
from ingest.database import INGEST_ROLE, connect_async
from ingest.group_commit import GroupCommit
from ingest.lanes import Limits, NotKept
from ingest.log.event import Delivery, Receipt
from ingest.session import Deadlines
from tests import DEADLINE, model

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


def with_commit(
    conninfo: str,
    limits: Limits,
    scenario: Callable[[GroupCommit], Awaitable[Any]],
    deadlines: Deadlines | None = None,
) -> Any:  # noqa: ANN401 - whatever the scenario gives
    deadlines = deadlines or Deadlines(statement=0.8 * limits.answer_seconds, idle=limits.answer_seconds)

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


def test_at_the_end_what_was_accepted_is_committed_and_answered(database: str) -> None:
    """Also what comes while the end is waited for; no connection is left open."""
    made: list[psycopg.AsyncConnection[Any]] = []

    async def connect() -> psycopg.AsyncConnection[Any]:
        made.append(await psycopg.AsyncConnection.connect(database, autocommit=True))
        return made[-1]

    async def run() -> None:
        answers: list[asyncio.Future[Receipt]] = []
        with psycopg.connect(database) as holding:
            holding.execute("select pg_advisory_xact_lock(1919906927, hashtext('late'))")
            async with GroupCommit(Connections(connect, ROOMY.answer_seconds), ROOMY).running() as commit:
                answers.extend(commit.append(delivery(b"%d" % number)) for number in range(500))
                answers[-1].add_done_callback(lambda _: holding.rollback())
                asyncio.get_running_loop().call_soon(lambda: answers.append(commit.append(delivery(b"", "late"))))
        assert len(answers) == 501
        assert all(answer.done() and answer.result().stored for answer in answers)

    asyncio.run(run())
    assert all(connection.closed for connection in made)
    assert len(model.stored_bodies(database)) == 500
