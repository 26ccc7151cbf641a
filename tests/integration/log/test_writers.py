"""When transactions that sources share begin: one after the other, but for what a long or full one keeps waiting."""

import asyncio
from collections.abc import Sequence

import pytest

from ingest.group_commit import GroupCommit
from ingest.lanes import Limits
from ingest.log.event import Receipt
from tests.fold_all import query
from tests.integration.log.test_group_commit import with_commit
from tests.integration.log.test_stuck_sources import hand_in, locked, looking, waiting_sessions

NEVER = 3_600.0  # seconds: whatever waits for it outlasts the deadline of a test
PATIENT = Limits(10_000, 10**8, NEVER)
FIRST = Receipt(1, stored=True)


@pytest.fixture(autouse=True)
def _wait_for_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction waits for a lock for longer than any test takes."""
    monkeypatch.setattr("ingest.connections._LOCK_SECONDS", NEVER)
    monkeypatch.setattr("ingest.connections._LOCK_PART", 1)


async def begun(database: str, writing: asyncio.Future[Receipt | None]) -> None:
    """Until a transaction waits for a lock."""
    async with looking(database) as look:
        while not await waiting_sessions(look):
            await asyncio.sleep(0.01)
    assert not writing.done()


def test_what_arrives_while_a_transaction_is_under_way_shares_the_next_one(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.writers._SOON", NEVER)
    others = [f"other{number}" for number in range(20)]

    async def scenario(commit: GroupCommit) -> Sequence[Receipt | None]:
        with locked(database, ["first"]):
            first = hand_in(commit, b"1", "first")
            await begun(database, first)
            waiting = []
            for source in others:
                waiting.append(hand_in(commit, b"1", source))
                await asyncio.sleep(0)
        return await asyncio.gather(first, *waiting)

    assert with_commit(database, PATIENT, scenario) == [FIRST] * 21
    assert query(database, "select count(distinct xmin::text) from event_log") == [(2,)]


def test_promise_16_what_a_transaction_keeps_waiting_for_longer_than_a_moment_has_another_one(database: str) -> None:
    """Though nothing else arrives, which would begin it."""

    async def scenario(commit: GroupCommit) -> Receipt | None:
        with locked(database, ["first"]):
            first = hand_in(commit, b"1", "first")
            for _ in range(3):  # its transaction has begun, a moment ago
                await asyncio.sleep(0)
            other = await hand_in(commit, b"1", "other")
            await begun(database, first)
        assert await first == FIRST
        return other

    assert with_commit(database, PATIENT, scenario) == FIRST


def test_promise_16_one_that_is_held_up_holds_up_no_other_one_after_the_other(database: str) -> None:
    """Each has its transaction in a moment, also right after the transaction of another one has ended."""

    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        with locked(database, ["first"]):
            first = hand_in(commit, b"1", "first")
            await begun(database, first)
            others = [await hand_in(commit, b"1", f"other{number}") for number in range(30)]
            await begun(database, first)
        return [await first, *others]

    assert with_commit(database, PATIENT, scenario) == [FIRST] * 31


def test_where_each_source_has_its_own_transaction_none_waits_for_another_one(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.writers._SOON", NEVER)
    monkeypatch.setattr("ingest.group_commit._MOST_SOURCES", 1)

    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        with locked(database, ["first"]):
            first = hand_in(commit, b"1", "first")
            await begun(database, first)
            others = [await hand_in(commit, b"1", f"other{number}") for number in range(3)]
            await begun(database, first)
        return [await first, *others]

    assert with_commit(database, PATIENT, scenario) == [FIRST] * 4


def test_what_a_full_transaction_has_no_room_for_has_another_one_at_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.writers._SOON", NEVER)

    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        with locked(database, ["s00"]):
            first, *full = [hand_in(commit, b"1", f"s{number:02d}") for number in range(64)]
            others = await asyncio.gather(*(hand_in(commit, b"1", f"other{number}") for number in range(3)))
            await begun(database, first)
        return [*others, *await asyncio.gather(first, *full)]

    assert with_commit(database, PATIENT, scenario) == [FIRST] * 67
