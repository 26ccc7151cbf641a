"""`append_events_together` does for each of several sources what `append_events` does for one."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import psycopg
import pytest
from psycopg import errors

from ingest.database import INGEST_ROLE, connect_async
from ingest.log.append import append_together, can_append
from ingest.log.event import Receipt
from ingest.session import Deadlines
from tests import model
from tests.fold_all import query
from tests.integration.log.test_group_commit import delivery

Batches = Mapping[str, Sequence[bytes]]
Owner = psycopg.Connection[Any]
Append = Callable[[Batches], dict[str, list[Receipt]] | None]
FUNCTION = "append_events_together(text[], integer[], integer[], bytea[], text[], text[], text[])"


@pytest.fixture
def append(database: str) -> Append:
    async def run(batches: Batches) -> dict[str, list[Receipt]] | None:
        given = {source: [delivery(content, source) for content in contents] for source, contents in batches.items()}
        connection = await connect_async(database, INGEST_ROLE, Deadlines(60, 60), read_only=False, autocommit=True)
        async with connection:
            return await append_together(connection, given)

    return lambda batches: asyncio.run(run(batches))


@pytest.fixture
def owner(database: str) -> Iterator[Owner]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def new(position: int) -> Receipt:
    return Receipt(position, stored=True)


def known(position: int) -> Receipt:
    return Receipt(position, stored=False)


def test_promise_6_the_same_bytes_twice_in_a_call_are_one_event_of_each_source(append: Append, database: str) -> None:
    given = {"spring": [b"1", b"2", b"1"], "autumn": [b"2", b"1", b"1"], "winter": [b"3"]}
    assert append(given) == {
        "spring": [new(1), new(2), known(1)],
        "autumn": [new(1), new(2), known(2)],
        "winter": [new(1)],
    }
    assert append(given) == {
        "spring": [known(1), known(2), known(1)],
        "autumn": [known(1), known(2), known(2)],
        "winter": [known(1)],
    }
    for source, contents in {"spring": [b"1", b"2"], "autumn": [b"2", b"1"], "winter": [b"3"]}.items():
        assert model.stored_bodies(database, source) == contents
        stored = query(database, f"select chain from event_log where source = '{source}' order by position")
        assert [chain for (chain,) in stored] == model.chains(database, source)


def test_heads_are_noted_by_what_is_new_alone_and_once_a_second(append: Append, database: str, owner: Owner) -> None:
    heads = "select source, head from source order by 1"
    append({"spring": [b"1"], "autumn": [b"1", b"2"]})
    assert query(database, heads) == [("autumn", 2), ("spring", 1)]
    owner.execute("update source set noted_at = now() + interval '1 hour' where source = 'spring'")  # another clock
    owner.execute("update source set noted_at = clock_timestamp() + interval '0.9 s' where source = 'autumn'")
    append({"spring": [b"2"], "autumn": [b"3"]})
    assert query(database, heads) == [("autumn", 2), ("spring", 2)]
    owner.execute("delete from source")
    append({"spring": [b"1"], "autumn": [b"4"]})
    assert query(database, heads) == [("autumn", 4)]


def test_hours_of_redeliveries_are_forgotten_after_a_year_for_redelivered_sources(
    append: Append,
    database: str,
    owner: Owner,
) -> None:
    append({"spring": [b"1"], "autumn": [b"1"]})
    for source in ("spring", "autumn"):
        for days in (399, 401):
            owner.execute(
                "insert into redelivery_hour values (%s, now() - make_interval(days => %s), 7)", [source, days]
            )
    append({"spring": [b"1"], "autumn": [b"2"]})
    counted = query(
        database, "select source, array_agg(count order by hour)::int[] from redelivery_hour group by 1 order by 1"
    )
    assert counted == [("autumn", [7, 7]), ("spring", [7, 1])]


def test_promise_5_received_at_never_goes_back_in_any_of_the_sources(
    append: Append,
    database: str,
    owner: Owner,
) -> None:
    owner.execute(
        "insert into event_log (source, position, received_at, digest, body, signature, chain) "
        "values ('spring', 1, '2099-01-01', 'a digest', 'body', 'signature', 'a chain')"
    )
    append({"spring": [b"1"], "autumn": [b"1"]})
    later = query(database, "select source, received_at >= '2099-01-01' from event_log where body = '1' order by 1")
    assert later == [("autumn", False), ("spring", True)]


def test_it_appends_in_read_committed_alone_and_waits_for_the_disk(database: str, owner: Owner) -> None:
    name = FUNCTION.partition("(")[0]
    call = f"select * from {name}('{{a,b}}', '{{1,2}}', '{{1,2}}', %s, '{{s,s}}', '{{t,t}}', '{{u,u}}')"
    owner.execute("set synchronous_commit = off")
    with owner.transaction():
        owner.execute(call, [[b"1", b"2"]])
        assert owner.execute("show synchronous_commit").fetchone() == ("on",)
    owner.execute("set default_transaction_isolation = 'repeatable read'")
    with pytest.raises(errors.InvalidTransactionState, match="read committed"):
        owner.execute(call, [[b"3", b"4"]])
    owner.execute("reset default_transaction_isolation")
    with pytest.raises(errors.NullValueNotAllowed, match="no delivery is appended without its body"):
        owner.execute(call, [[b"5", None]])
    assert query(database, "select count(*) from event_log") == [(2,)]


def test_a_server_that_may_not_call_it_is_not_ready(database: str, owner: Owner) -> None:
    async def asked() -> bool:
        connection = await connect_async(database, INGEST_ROLE, Deadlines(60, 60), read_only=False, autocommit=True)
        async with connection:
            return await can_append(connection)

    assert asyncio.run(asked())
    owner.execute(f"revoke execute on function {FUNCTION} from {INGEST_ROLE}")
    assert not asyncio.run(asked())
