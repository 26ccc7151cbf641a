"""What a server remembers of tokens: bounded, forgotten when they are refused, written down in the background."""

import asyncio
import time
from types import SimpleNamespace

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request

from ingest.database import API_ROLE, async_engine
from ingest.sqlstate import DRIVER_ERRORS
from projections.web.access import sessions, tokens
from projections.web.access.bearer import Bearer, Bearers
from projections.web.access.token_use import TokenUse
from tests.api_client import make_token, running, scope_of
from tests.fold_all import query

MANY = 20
WAITS = "select * from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
USED = "select count(*) from api_token where last_used_at is not null"


@pytest.fixture
def reading(database: str) -> AsyncEngine:
    return async_engine(database, API_ROLE, read_only=True)


@pytest.fixture
def bearers(reading: AsyncEngine) -> Bearers:
    return Bearers(reading, TokenUse(None, ()), per_second=100)


def bearer(token: str) -> Bearer:
    return Bearer(tokens.digest(token), "here")


def presents(token: str) -> Request:
    return Request(scope_of("/v1/status", token))


def test_of_the_tokens_that_were_found_valid_the_newest_are_remembered(
    bearers: Bearers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.web.access.bearer._MOST_KNOWN", 2)
    for token in "abc":
        bearers.let_in(bearer(token))
    assert [bearers.recognises(presents(token)) for token in "abc"] == [False, True, True]


def test_an_operators_token_is_remembered_for_an_hour_or_until_it_is_refused(
    bearers: Bearers, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("projections.web.access.bearer.time", SimpleNamespace(monotonic=lambda: now))
    bearers.let_operator_in(bearer("a"))
    now += 3_599
    assert bearers.recognises_operator(presents("a"))
    now += 2
    assert not bearers.recognises_operator(presents("a"))
    bearers.let_operator_in(bearer("b"))
    assert [*bearers._operators] == [bearer("b").digest], "what counts no longer takes no memory"
    bearers.turn_away(bearer("b"))
    assert not bearers.recognises_operator(presents("b"))
    assert not bearers.recognises(presents("b"))


def test_while_wrong_tokens_are_limited_the_valid_ones_are_read_once_a_second_for_all(
    engine: Engine, reading: AsyncEngine, bearers: Bearers, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_digests, reads = sessions.live_digests, []
    token = make_token(engine)

    def counted() -> object:
        reads.append(token)
        return live_digests()

    monkeypatch.setattr("projections.web.access.bearer.live_digests", counted)

    async def scenario() -> None:
        now = time.monotonic()
        many = [bearers._is_live(tokens.digest(each), now) for each in [token, "wrong"] * MANY]
        assert await asyncio.gather(*many) == [True, False] * MANY
        assert await bearers._is_live(tokens.digest(token), now)
        assert len(reads) == 1
        assert await bearers._is_live(tokens.digest(token), time.monotonic() + 2)
        assert len(reads) == 2
        await reading.dispose()

    asyncio.run(scenario())


@pytest.fixture
def writing(database: str, engine: Engine) -> AsyncEngine:
    for number in range(MANY):
        make_token(engine, f"t{number}")
    return async_engine(database, API_ROLE, read_only=False)


def test_two_servers_that_write_down_the_same_tokens_do_not_wait_for_each_other_in_a_ring(
    database: str, writing: AsyncEngine
) -> None:
    """Each takes the rows in one order: while the first one is held, no other is taken."""
    use = TokenUse(writing, DRIVER_ERRORS)
    for (digest,) in query(database, "select digest from api_token"):
        use.note(digest)

    async def scenario() -> None:
        with psycopg.connect(database) as other:
            other.execute("select * from api_token order by digest limit 1 for update")
            flush = asyncio.create_task(use.flush())
            while not query(database, WAITS):
                await asyncio.sleep(0.01)
            assert len(query(database, "select * from api_token for update skip locked")) == MANY - 1
            other.rollback()
            await flush
        await writing.dispose()

    asyncio.run(scenario())
    assert query(database, USED) == [(MANY,)]


def test_a_use_that_cannot_be_written_down_is_said_and_dropped(database: str, caplog: pytest.LogCaptureFixture) -> None:
    away = async_engine(make_conninfo(database, host="127.0.0.1", port="1"), API_ROLE, read_only=False)
    use = TokenUse(away, DRIVER_ERRORS)

    async def scenario() -> None:
        use.note(b"1")
        for _ in range(2):
            await use.flush()
        await away.dispose()

    asyncio.run(scenario())
    [record] = caplog.records
    fields = record.__dict__["fields"]
    assert (record.message, fields["error"]) == ("use of tokens not written down", "OperationalError")
    assert "Connection refused" in fields["message"]


def test_where_nothing_is_written_down_nothing_is_noted() -> None:
    use = TokenUse(None, ())
    use.note(b"1")
    assert not use._used
    asyncio.run(use.run())


def test_a_use_is_written_down_while_the_server_runs(
    some: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.web.access.token_use._EVERY_SECONDS", 0.01)

    async def written() -> None:
        while query(some, USED) == [(0,)]:
            await asyncio.sleep(0.01)

    with running(some) as api:
        api.ask("/v1/status", make_token(engine))
        api.runner.run(asyncio.wait_for(written(), 60))
