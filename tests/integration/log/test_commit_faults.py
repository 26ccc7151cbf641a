"""Group commit while the database fails: what is tried again, who is refused, and what the server says of it."""

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ingest.connections import Connections
from ingest.database import INGEST_ROLE, connect_async
from ingest.group_commit import GroupCommit
from ingest.lanes import Limits, NotKept
from ingest.log.event import Receipt
from ingest.session import Deadlines
from tests import DEADLINE, model
from tests.integration.log.test_group_commit import ROOMY, answered, delivery, hand_in, with_commit
from tests.proxy import Proxy


@pytest.mark.parametrize("state", ["53100", "XX001"], ids=["of the server", "of the source"])
def test_deliveries_are_committed_one_by_one_until_one_of_them_shows_that_none_can_be(
    database: str, state: str
) -> None:
    """Each of hundreds would wait for the same failure, and their senders with them."""
    with psycopg.connect(database) as connection:
        connection.execute(
            "create function fail() returns trigger language plpgsql as $$ begin "
            f"raise exception 'no' using errcode = case new.body when 'poison' then 'P0001' else '{state}' end; end $$"
        )
        connection.execute(
            "create trigger fail before insert on event_log for each row "
            "when (new.body in ('poison', 'fails')) execute function fail()"
        )

    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        return await asyncio.gather(*(hand_in(commit, content) for content in (b"1", b"poison", b"2", b"fails", b"3")))

    receipts = with_commit(database, ROOMY, scenario)
    assert [receipt is not None for receipt in receipts] == [True, False, True, False, False]
    assert model.stored_bodies(database) == [b"1", b"2"]


def test_a_connection_that_is_cut_costs_no_delivery(database: str) -> None:
    """It has failed at once, while one without an answer has used up the delivery's time."""
    with Proxy(database).running() as proxy:

        async def scenario(commit: GroupCommit) -> list[Receipt | None]:
            first = await hand_in(commit, b"before")
            proxy.cut()
            return [first, await hand_in(commit, b"after")]

        assert all(with_commit(proxy.conninfo, ROOMY, scenario))


def test_what_waits_behind_a_fault_of_ours_is_answered() -> None:
    async def fail() -> psycopg.AsyncConnection[Any]:
        raise ZeroDivisionError

    async def run() -> None:
        limits = Limits(pending=10_000, pending_bytes=10**8, answer_seconds=0.5)
        async with GroupCommit(Connections(fail, 20), limits).running() as commit, asyncio.timeout(DEADLINE):
            waiting = [hand_in(commit, b"first")]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            waiting += [hand_in(commit, b"second"), hand_in(commit, b"third")]
            assert await asyncio.gather(*waiting) == [None] * 3

    asyncio.run(run())


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


def test_the_log_says_what_the_server_said_of_a_refusal(database: str, caplog: pytest.LogCaptureFixture) -> None:
    """In the same words and fields as everywhere, and with nothing of a delivery."""

    async def scenario(commit: GroupCommit) -> None:
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute("alter table event_log add constraint no_poison check (body <> 'poison'::bytea)")
            assert await hand_in(commit, b"poison") is None
            with owner.transaction():
                owner.execute("lock table event_log")
                assert await answered(commit.append(delivery(b"locked", "spring"))) is None
            owner.execute(f"revoke execute on function append_events from {INGEST_ROLE}")
            assert await hand_in(commit, b"forbidden") is None

    with_commit(database, Limits(pending=10, pending_bytes=10**6, answer_seconds=2), scenario)
    away = make_conninfo(database, port="1", host="127.0.0.1")
    assert with_commit(away, ROOMY, lambda commit: hand_in(commit, b"lost")) is None
    said = [record.__dict__["fields"] for record in caplog.records if record.name == "ingest.group_commit"]
    messages = [str(fields.pop("message")) for fields in said]
    of_lock = {"source": "spring", "refused": 1, "error": "LockNotAvailable", "sqlstate": "55P03"}
    assert said == [
        {"source": "movemint", "error": "CheckViolation", "sqlstate": "23514"}, of_lock,
        {"refused": 1, "error": "InsufficientPrivilege", "sqlstate": "42501"},
        {"refused": 1, "error": "OperationalError", "sqlstate": None},
    ]  # fmt: skip
    for part, message in zip(("no_poison", "lock timeout", "append_events", "refused"), messages, strict=True):
        assert part in message


def test_a_source_whose_commit_has_no_answer_is_refused_at_once_and_named(database: str) -> None:
    """And a server that stops does not wait for it, whatever its connection would."""
    with Proxy(database).running() as proxy:

        async def connect() -> psycopg.AsyncConnection[Any]:
            deadlines = Deadlines(2 * DEADLINE, 2 * DEADLINE)
            return await connect_async(proxy.conninfo, INGEST_ROLE, deadlines, read_only=False, autocommit=True)

        async def run() -> None:
            limits = Limits(pending=10_000, pending_bytes=10**8, answer_seconds=1)
            connections = Connections(connect, 2 * DEADLINE)
            async with asyncio.timeout(DEADLINE), GroupCommit(connections, limits).running() as commit:
                assert await hand_in(commit, b"before")
                proxy.silence()
                assert await hand_in(commit, b"first") is None
                second = commit.append(delivery(b"second"))
                assert second.done()
                assert isinstance(second.exception(), NotKept)
                assert await commit.hindrance() == "no commit in time for movemint"

        asyncio.run(run())
