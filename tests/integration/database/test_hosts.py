"""Addresses with several hosts: one that does not answer is asked last, and what is demoted is left."""

import asyncio
from contextlib import closing

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ingest import hosts
from ingest.database import API_ROLE, WORKER_ROLE, async_engine, connect, full_conninfo, sync_engine
from ingest.driver import AsyncConnection
from tests.program import free_port
from tests.proxy import Proxy

READ_ONLY = "set default_transaction_read_only = on"
WRITE = text("create temporary table x (a int) on commit drop")


@pytest.fixture(autouse=True)
def none_was_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "_silent_at", {})


def ports(conninfo: str) -> list[object]:
    return [conninfo_to_dict(address).get("port") for address in hosts.each_host(conninfo)]


def test_each_host_has_an_address_of_its_own() -> None:
    each = hosts.each_host("postgresql://u:p@a,b:5433/n?target_session_attrs=read-write")
    shown = [conninfo_to_dict(address) for address in each]
    rest = {"user": "u", "password": "p", "dbname": "n", "target_session_attrs": "read-write"}
    assert shown == [{**rest, "host": "a", "port": ""}, {**rest, "host": "b", "port": "5433"}] or shown == [
        {**rest, "host": "a"}, {**rest, "host": "b", "port": "5433"},
    ]  # fmt: skip
    assert ports("host=a,b port=5000") == ["5000", "5000"]


@pytest.mark.parametrize(
    "conninfo",
    [
        "host=a port=1", "dbname=x", "host=a,b port=1,2,3", "host=a,b load_balance_hosts=random",
        "host=a,b target_session_attrs=prefer-standby",
    ],
)  # fmt: skip
def test_what_is_no_list_or_has_an_order_of_its_own_is_left_to_the_driver(conninfo: str) -> None:
    assert hosts.each_host(conninfo) == [conninfo]


def test_several_hosts_have_little_time_each() -> None:
    seconds = [
        conninfo_to_dict(full_conninfo(conninfo))["connect_timeout"]
        for conninfo in (
            "host=a", "host=/run,127.0.0.1", "host=a,b", "hostaddr=::1,::2", "host=a,b connect_timeout=7",
        )
    ]  # fmt: skip
    assert [str(each) for each in seconds] == ["5", "5", "2", "2", "7"]


@pytest.mark.parametrize("is_async", [False, True])
def test_promise_16_a_host_that_does_not_answer_holds_up_one_connection(database: str, *, is_async: bool) -> None:
    server = str(conninfo_to_dict(database)["port"])
    with Proxy(database).running() as proxy:
        proxy.swallows = True
        silent = str(proxy.port)
        address = make_conninfo(database, host="127.0.0.1,127.0.0.1", port=f"{silent},{server}")
        assert ports(address) == [silent, server]
        if is_async:

            async def port() -> int:
                connection: AsyncConnection = await hosts.connected_async(full_conninfo(address))
                taken = connection.info.port
                await connection.close()
                return taken

            assert asyncio.run(port()) == int(server)
        else:
            with closing(connect(address)) as connection:
                assert connection.info.port == int(server)
        assert ports(full_conninfo(address)) == [server, silent]


def test_a_host_that_refuses_keeps_its_turn(database: str) -> None:
    server, nobody = str(conninfo_to_dict(database)["port"]), str(free_port())
    address = make_conninfo(database, host="127.0.0.1,127.0.0.1", port=f"{nobody},{server}")
    connect(address).close()
    assert ports(address) == [nobody, server]


def test_a_pooled_connection_to_what_was_demoted_is_left(database: str) -> None:
    """A pool between keeps it open, though its server is a standby from then on."""
    engine = sync_engine(database, WORKER_ROLE)
    with engine.connect() as connection:
        connection.execute(text(READ_ONLY))
        connection.commit()
    with engine.connect() as connection, pytest.raises(DBAPIError, match="read-only transaction"):
        connection.execute(WRITE)
    with engine.connect() as connection:
        connection.execute(WRITE)
    engine.dispose()


def test_a_servers_pooled_connection_to_what_was_demoted_is_left(database: str) -> None:
    async def run() -> None:
        engine = async_engine(database, API_ROLE, read_only=False)
        async with engine.connect() as connection:
            await connection.execute(text(READ_ONLY))
            await connection.commit()
        async with engine.connect() as connection:
            with pytest.raises(DBAPIError, match="read-only transaction"):
                await connection.execute(WRITE)
        async with engine.connect() as connection:
            await connection.execute(WRITE)
        await engine.dispose()

    asyncio.run(run())
