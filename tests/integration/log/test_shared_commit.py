"""Sources that are ready together share one transaction; each delivery has its own outcome even so."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext

import psycopg
import pytest

from ingest.database import INGEST_ROLE, connect_async
from ingest.group_commit import GroupCommit
from ingest.lanes import Limits, TakenElsewhere
from ingest.log.append import append, append_together
from ingest.log.event import Receipt
from ingest.session import Deadlines
from tests import DEADLINE, model
from tests.fold_all import query
from tests.integration.log.test_group_commit import ROOMY, delivery, with_commit
from tests.integration.log.test_stuck_sources import hand_in, locked, looking, waiting_sessions

MANY = [f"s{number:02d}" for number in range(40)]
_TRANSACTIONS = "select count(distinct xmin::text) from event_log"


def each(commit: GroupCommit, sources: Iterable[str], content: bytes = b"1") -> list[asyncio.Future[Receipt | None]]:
    """A delivery for each of these sources, all of which arrive together."""
    return [hand_in(commit, content, source) for source in sources]


def hang_on(conninfo: str, *sources: str) -> None:
    """Let each append for these sources hang."""
    with psycopg.connect(conninfo) as connection:
        connection.execute(
            "create function hang() returns trigger language plpgsql as $$ begin perform pg_sleep(600); end $$"
        )
        connection.execute(
            f"create trigger hang before insert on event_log for each row when (new.source in {sources!r}) "
            "execute function hang()".replace(",)", ")").encode()
        )


@contextmanager
def engine_that_divides_the_log(conninfo: str) -> Iterator[None]:
    """A server with the table by which the distributed engine is known."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("set allow_system_table_mods = on")
        connection.execute("create table pg_catalog.pg_dist_partition ()")
        yield
        connection.execute("drop table pg_catalog.pg_dist_partition")


def test_promise_4_sources_that_are_ready_together_share_a_commit(database: str) -> None:
    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        return await asyncio.gather(*each(commit, MANY), *each(commit, MANY, b"2"))

    receipts = with_commit(database, ROOMY, scenario)
    assert receipts == [Receipt(1, stored=True)] * len(MANY) + [Receipt(2, stored=True)] * len(MANY)
    assert query(database, _TRANSACTIONS) == [(1,)]


def test_promise_4_what_waits_behind_a_transaction_of_its_own_source_is_committed_after_it(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("alter table event_log add constraint no_poison check (body <> 'poison'::bytea)")

    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        poisoned = await hand_in(commit, b"poison", "s07")  # from now on the source has its own, until one succeeds
        return [poisoned, *await asyncio.gather(*(hand_in(commit, content, "s07") for content in (b"1", b"2")))]

    assert with_commit(database, ROOMY, scenario) == [None, Receipt(1, stored=True), Receipt(2, stored=True)]
    assert query(database, _TRANSACTIONS) == [(2,)]


@pytest.mark.parametrize("seed", range(3))
def test_promise_6_each_source_has_its_own_order_positions_and_chain_whatever_is_shared(
    database: str, seed: int
) -> None:
    chosen = random.Random(seed)
    sent = [(chosen.choice(MANY), b"%d" % chosen.randrange(60)) for _ in range(1_500)]

    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        answers = []
        for source, content in sent:
            answers.append(hand_in(commit, content, source))
            if chosen.random() < 0.02:
                await asyncio.sleep(0.001)
        return await asyncio.gather(*answers)

    receipts = with_commit(database, ROOMY, scenario)
    log: dict[str, list[bytes]] = {}
    for (source, content), receipt in zip(sent, receipts, strict=True):
        of_source = log.setdefault(source, [])
        is_new = content not in of_source
        if is_new:
            of_source.append(content)
        assert receipt == Receipt(of_source.index(content) + 1, stored=is_new)
    for source, contents in log.items():
        assert model.stored_bodies(database, source) == contents
        stored = query(database, f"select chain from event_log where source = '{source}' order by position")
        assert [chain for (chain,) in stored] == model.chains(database, source)
    redelivered = Counter(sent) - Counter(set(sent))
    assert query(database, "select source, position, redeliveries from event_redelivery order by 1, 2") == sorted(
        (source, log[source].index(content) + 1, count) for (source, content), count in redelivered.items()
    )
    by_source = Counter(source for source, _ in redelivered.elements())
    hours = "select source, sum(count)::int from redelivery_hour group by 1 order by 1"
    assert query(database, hours) == sorted(by_source.items())


def test_promise_4_a_poisoned_delivery_among_other_sources_leaves_theirs_stored(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("alter table event_log add constraint no_poison check (body <> 'poison'::bytea)")

    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        first = each(commit, MANY)
        return await asyncio.gather(*first, hand_in(commit, b"poison", MANY[7]), hand_in(commit, b"2", MANY[7]))

    *others, poisoned, after = with_commit(database, ROOMY, scenario)
    assert others == [Receipt(1, stored=True)] * len(MANY)
    assert poisoned is None
    assert after == Receipt(2, stored=True)


def test_promise_16_a_source_that_moved_away_keeps_no_other_from_being_stored(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("insert into source (source, head, state, other_place) values ('s07', 0, 'moved', 'there')")

    async def scenario(commit: GroupCommit) -> list[list[type]]:
        rounds: list[list[type]] = []
        for content in (b"1", b"2", b"3"):
            together = [commit.append(delivery(content, source)) for source in MANY]
            rounds.append([type(each) for each in await asyncio.gather(*together, return_exceptions=True)])
        return rounds

    expected = [TakenElsewhere if source == "s07" else Receipt for source in MANY]
    assert with_commit(database, ROOMY, scenario) == [expected] * 3
    # It was in a transaction with the others once, not again.
    transactions = query(database, "select count(distinct xmin::text) from event_log where body in ('2', '3')")
    assert transactions == [(2,)]


def test_promise_16_a_locked_source_among_others_holds_them_up_for_a_moment_only(database: str) -> None:
    async def scenario(commit: GroupCommit) -> tuple[list[Receipt | None], list[Receipt | None], bool]:
        with locked(database, ["s07"]):
            first = dict(zip(MANY, each(commit, MANY), strict=True))
            stuck = first.pop("s07")
            others = await asyncio.gather(*first.values())
            more = await asyncio.gather(*each(commit, first, b"2"))
            is_waiting = not stuck.done()
        assert await stuck == Receipt(1, stored=True)
        return others, more, is_waiting

    others, more, is_waiting = with_commit(database, ROOMY, scenario)
    assert others == [Receipt(1, stored=True)] * (len(MANY) - 1)
    assert more == [Receipt(2, stored=True)] * (len(MANY) - 1)
    assert is_waiting
    # They share again, without it: fewer at once, in case it was a transaction of another server that had the lock.
    assert query(database, f"{_TRANSACTIONS} where body = '2'") == [(2,)]


@pytest.mark.parametrize("seconds", [4, 600], ids=["that is cancelled", "that is given up"])
def test_promise_16_a_commit_that_hangs_refuses_its_own_source_alone(database: str, seconds: float) -> None:
    """Without a lock that another session has: as by a block of the disk that cannot be read."""
    hang_on(database, "s07")

    async def scenario(commit: GroupCommit) -> tuple[list[Receipt | None], list[Receipt | None]]:
        first = dict(zip(MANY, each(commit, MANY), strict=True))
        hangs = first.pop("s07")
        others = await asyncio.gather(*first.values())
        assert await hangs is None
        return others, await asyncio.gather(*each(commit, first, b"2"))

    others, more = with_commit(database, Limits(1_000, 10**6, 5), scenario, Deadlines(seconds, seconds))
    assert others == [Receipt(1, stored=True)] * (len(MANY) - 1)
    assert more == [Receipt(2, stored=True)] * (len(MANY) - 1)
    assert query(database, f"{_TRANSACTIONS} where body = '2'") == [(2,)]  # they share again, fewer at once, without it


@pytest.mark.parametrize("divides", [False, True], ids=["one log", "a divided log"])
def test_promise_16_sources_that_are_stuck_one_after_the_other_refuse_no_other(database: str, *, divides: bool) -> None:
    """Each of them waits for its lock by itself; none of those who commit what is ready waits with it."""

    async def scenario(commit: GroupCommit) -> tuple[Receipt | None, bool]:
        assert await hand_in(commit, b"1", "spring") is not None
        async with looking(database) as look:
            with locked(database, MANY[:8]):
                stuck = []
                for number, source in enumerate(MANY[:8]):
                    stuck.append(hand_in(commit, b"1", source))
                    while len(await waiting_sessions(look)) < min(number + 1, 4):
                        await asyncio.sleep(0.01)
                other = await hand_in(commit, b"2", "spring")
                is_waiting = not any(each.done() for each in stuck)
            return other, is_waiting and all(await asyncio.gather(*stuck))

    with engine_that_divides_the_log(database) if divides else nullcontext():
        assert with_commit(database, ROOMY, scenario) == (Receipt(2, stored=True), True)


def test_a_database_that_writes_nothing_refuses_all_sources_at_once(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "create function full_disk() returns trigger language plpgsql as $$ "
            "begin raise exception 'no room' using errcode = 'disk_full'; end $$"
        )
        connection.execute("create trigger fail before insert on event_log for each row execute function full_disk()")

    async def scenario(commit: GroupCommit) -> tuple[list[Receipt | None], str | None]:
        refused = await asyncio.gather(*each(commit, MANY))
        return refused, await commit.hindrance()

    assert with_commit(database, ROOMY, scenario) == ([None] * len(MANY), "the database's disk is full")
    assert [record.getMessage() for record in caplog.records] == ["database cannot append"]


def test_two_servers_take_the_locks_of_shared_sources_in_one_order(database: str) -> None:
    """Else each could have the lock that the other one waits for. The order is that of the locks, not of names."""
    order = "select source from unnest(array['a', 'b']) as s (source) order by hashtext(source)"
    (sooner,), (later,) = query(database, order)

    async def run() -> None:
        async with asyncio.timeout(DEADLINE):
            first, second = [
                await connect_async(database, INGEST_ROLE, Deadlines(60, 60), read_only=False, autocommit=True)
                for _ in range(2)
            ]
            with locked(database, [sooner]):
                together = asyncio.ensure_future(
                    append_together(first, {each: [delivery(b"1", each)] for each in (later, sooner)})
                )
                async with looking(database) as look:
                    while not await waiting_sessions(look):
                        await asyncio.sleep(0.02)
                assert await append(second, later, [delivery(b"2", later)]) == [Receipt(1, stored=True)]
            assert await together == {sooner: [Receipt(1, stored=True)], later: [Receipt(2, stored=True)]}
            await first.close()
            await second.close()

    asyncio.run(run())


def test_where_an_engine_divides_the_log_each_source_has_its_own_statement(database: str) -> None:
    async def scenario(commit: GroupCommit) -> list[Receipt | None]:
        first = await asyncio.gather(*each(commit, MANY))
        return [*first, *await asyncio.gather(*each(commit, MANY, b"2"))]

    with engine_that_divides_the_log(database):
        receipts = with_commit(database, Limits(1_000, 10**6, 20), scenario)
    assert receipts == [Receipt(1, stored=True)] * len(MANY) + [Receipt(2, stored=True)] * len(MANY)
    assert query(database, _TRANSACTIONS) == [(2 * len(MANY),)]
