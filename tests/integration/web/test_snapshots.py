"""A request that meets a dead connection of the pool is answered over another one."""

import asyncio

import httpx2 as httpx
import psycopg
import pytest
from sqlalchemy import Engine

from tests import model
from tests.api_client import Api, ask, make_token, running
from tests.fold_all import drain
from tests.proxy import Proxy

AT_ONCE = 8  # as many connections as the pool keeps
LIST = "/v1/participants"


@pytest.fixture
def token(database: str, worker_engine: Engine, engine: Engine) -> str:
    model.append(database, [model.body(1)])
    drain(worker_engine)
    return make_token(engine)


def at_once(api: Api, token: str) -> list[int]:
    """The statuses of so many requests that each kept connection is used."""

    async def gathered() -> list[httpx.Response]:
        return await asyncio.gather(*(ask(api.client, LIST, token) for _ in range(AT_ONCE)))

    return [answer.status_code for answer in api.runner.run(gathered())]


def test_a_restart_of_the_database_breaks_no_request(database: str, token: str) -> None:
    with Proxy(database).running() as proxy, running(proxy.conninfo) as api:
        for is_alone in (True, False):
            assert at_once(api, token) == [200] * AT_ONCE
            proxy.cut()
            assert is_alone is False or api.ask(LIST, token).status_code == 200
            assert at_once(api, token) == [200] * AT_ONCE


def test_a_connection_that_was_cut_off_unseen_is_given_up_for_another(database: str, token: str) -> None:
    with Proxy(database).running() as proxy, running(proxy.conninfo) as api:
        assert at_once(api, token) == [200] * AT_ONCE
        proxy.silence()
        assert api.ask(LIST, token).status_code == 200


def test_a_migration_that_changes_what_sessions_have_prepared_breaks_no_request(database: str, token: str) -> None:
    with running(database) as api:
        assert at_once(api, token) == [200] * AT_ONCE
        with psycopg.connect(database, autocommit=True) as owner:
            [function] = owner.execute("select pg_get_functiondef('scope_of(bytea)'::regprocedure)").fetchone() or [""]
            changed = function.replace("mark text)", "mark character varying)")
            assert changed != function
            owner.execute("drop function scope_of(bytea)")
            owner.execute(changed.encode())
            owner.execute("grant execute on function scope_of(bytea) to rosterlog_api")
        assert api.ask(LIST, token).status_code == 200, "though it meets one session after another"
        assert at_once(api, token) == [200] * AT_ONCE
