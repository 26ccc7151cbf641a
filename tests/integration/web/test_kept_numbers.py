"""Numbers that take long are counted once, beside whoever asks, and never shown after an erasure."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ingest.database import API_ROLE, async_engine
from projections.roster.revision import Revision
from projections.web import kept_numbers
from projections.web.kept_numbers import KeptNumbers
from tests import DEADLINE

FIRST, SECOND = Revision(1, 10, 0), Revision(1, 11, 0)
ERASED = Revision(1, 11, 1)


class Slow:
    """Counts when it is let go on; `begun`: how often it was asked."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()

    async def count(self, connection: AsyncConnection) -> int:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        await connection.execute(text("select 1"))
        return number


@asynccontextmanager
async def keeping(conninfo: str) -> AsyncIterator[KeptNumbers]:
    engine = async_engine(conninfo, API_ROLE, read_only=True)
    kept = KeptNumbers(engine)
    try:
        yield kept
    finally:
        await kept.close()
        await engine.dispose()


def run(conninfo: str, ask: Callable[[KeptNumbers, Slow], Awaitable[None]]) -> None:
    async def asked() -> None:
        async with keeping(conninfo) as kept, asyncio.timeout(DEADLINE):
            await ask(kept, Slow())

    asyncio.run(asked())


async def counted(kept: KeptNumbers, slow: Slow, revision: Revision) -> int:
    """The number, as soon as it is there."""
    while (number := await kept.of("key", revision, slow.count, 0.01)) is None or number.revision != revision:
        pass
    return number.numbers


def test_whoever_asks_does_not_wait_for_long_and_finds_it_later(database: str) -> None:
    async def ask(kept: KeptNumbers, slow: Slow) -> None:
        for _ in range(3):
            assert await kept.of("key", FIRST, slow.count, 0.01) is None
        slow.may_end.set()
        assert await counted(kept, slow, FIRST) == 1
        assert await counted(kept, slow, FIRST) == 1
        assert slow.begun == 1, "counted once for all who ask"
        assert (await kept.of("other", FIRST, slow.count, DEADLINE)) is not None

    run(database, ask)


def test_one_request_waits_and_not_each_while_it_is_counted(database: str) -> None:
    async def ask(kept: KeptNumbers, slow: Slow) -> None:
        assert await kept.of("key", FIRST, slow.count, 0.5) is None
        again, half = (
            asyncio.create_task(kept.of("key", FIRST, slow.count, 0.5)),
            asyncio.create_task(asyncio.sleep(0.25)),
        )
        done, _ = await asyncio.wait([again, half], return_when=asyncio.FIRST_COMPLETED)
        assert again in done
        slow.may_end.set()

    run(database, ask)


def test_what_pages_do_without_is_counted_one_after_the_other_and_what_they_need_beside_it(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_numbers, "_MOST_WAITING", 2)

    async def ask(kept: KeptNumbers, slow: Slow) -> None:
        needed = Slow()
        needed.may_end.set()
        for key in ("one", "another"):
            assert await kept.of(key, FIRST, slow.count, 0.05) is None
        assert await kept.of("needed", FIRST, needed.count, DEADLINE) is not None
        assert slow.begun == 1
        slow.may_end.set()
        async with asyncio.timeout(DEADLINE):
            while await kept.of("another", FIRST, slow.count, 0.01) is None:
                pass
        assert slow.begun == 2

    run(database, ask)


def test_counting_leaves_the_other_cores_to_others(database: str) -> None:
    async def workers(connection: AsyncConnection) -> str:
        setting = text("select current_setting('max_parallel_workers_per_gather')")
        return str((await connection.execute(setting)).scalar_one())

    async def ask(kept: KeptNumbers, _: Slow) -> None:
        found = await kept.of("key", FIRST, workers, DEADLINE)
        assert found is not None
        assert found.numbers == "0"

    run(database, ask)


def test_a_quick_number_is_of_each_revision(database: str) -> None:
    async def ask(kept: KeptNumbers, slow: Slow) -> None:
        slow.may_end.set()
        assert [await counted(kept, slow, revision) for revision in (FIRST, SECOND, SECOND)] == [1, 2, 2]

    run(database, ask)


def test_a_slow_number_of_before_stands_until_it_is_counted_again(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_numbers, "_QUICK_SECONDS", 0)

    async def ask(kept: KeptNumbers, slow: Slow) -> None:
        slow.may_end.set()
        assert await counted(kept, slow, FIRST) == 1
        slow.may_end.clear()
        monkeypatch.setattr(kept_numbers, "_RESTS", 0)
        before = await kept.of("key", SECOND, slow.count, DEADLINE)
        assert before is not None
        assert (before.numbers, before.revision) == (1, FIRST), "it did not wait"
        assert await kept.of("key", ERASED, slow.count, 0.01) is None, "who was erased may be in it"
        slow.may_end.set()
        assert await counted(kept, slow, ERASED) > 1

    run(database, ask)


def test_what_cannot_be_counted_is_left_out_and_tried_later(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kept_numbers, "_GENTLE", text("set local statement_timeout = '20ms'"))

    async def sleep(connection: AsyncConnection) -> int:
        return int((await connection.execute(text("select 1 from pg_sleep(60)"))).scalar_one())

    async def ask(kept: KeptNumbers, slow: Slow) -> None:
        slow.may_end.set()
        assert await kept.of("key", FIRST, sleep, DEADLINE) is None
        assert await kept.of("key", FIRST, slow.count, DEADLINE) is None, "not at once"
        monkeypatch.setattr(kept_numbers, "_FAILED_SECONDS", 0)
        assert await kept.of("another", FIRST, sleep, DEADLINE) is None
        again = await kept.of("another", FIRST, slow.count, DEADLINE)
        assert again is not None

    run(database, ask)
    assert "not counted" in caplog.text


def test_no_more_is_kept_than_there_is_room_for(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_numbers, "_MOST_KEPT", 2)

    async def ask(kept: KeptNumbers, slow: Slow) -> None:
        slow.may_end.set()
        for key in "abca":
            assert await kept.of(key, FIRST, slow.count, DEADLINE) is not None
        assert slow.begun == 4, "the first one was forgotten"

    run(database, ask)
