"""Standbys: whether a failover loses deliveries, made to happen with the programs that follow a server."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, text

from ingest import postgres
from ingest.settings import read_settings
from ingest.web.app import build_app
from ingest.webhook_part import ingest_part
from projections.doctor import upkeep
from projections.doctor.durability import check_standbys
from projections.doctor.upkeep import check_slots
from tests import model
from tests.findings import only
from tests.fold_all import query
from tests.integration.doctor.test_server import connection, instead, shared_engine, system
from tests.program import until

__all__ = ["connection", "shared_engine"]
NONE = "loses no delivery: "


def readiness(conninfo: str) -> Any:  # noqa: ANN401 - JSON
    """What `/readyz/webhook` of a webhook's server answers."""
    sources = {"movemint": (model.SECRET,)}
    app = build_app([ingest_part(read_settings({"DATABASE_URL": conninfo}), sources, conninfo)])

    async def asked() -> httpx.Response:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client,
        ):
            return await client.get("/readyz/webhook")

    answer = asyncio.run(asked())
    assert answer.status_code == 200
    return answer.json()


def test_a_failover_that_loses_deliveries_is_told(
    server: postgres.Server, shared: str, connection: Connection, tmp_path: Path
) -> None:
    def standbys(role: str = "none") -> tuple[str, str]:
        connection.rollback()
        connection.execute(text(f"set local role {role}"))
        return only(check_standbys(connection), "standbys")

    assert standbys()[0] == "ok"
    address = make_conninfo(shared, application_name="follower")
    command = [
        str(server.programs / "pg_receivewal"),
        f"--directory={tmp_path}",
        f"--dbname={address}",
        "--synchronous",
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as follower:
        try:
            until(lambda: "follower (async)" in standbys()[1])
            assert standbys()[0] == "warn"
            said = readiness(shared)["detail"]
            assert said.startswith("a standby follows, and commits do not wait for it: a failover loses deliveries")
            assert "synchronous_mode" in said
            assert "loses deliveries that were answered 200" in standbys()[1]
            for names, state in (("follower", "sync"), ("ANY 1 (follower)", "quorum")):
                with system(shared, "synchronous_standby_names", names):
                    until(lambda: f"follower ({state})" in standbys()[1])  # noqa: B023 - asked in this turn
                    assert standbys() == ("ok", f"follower ({state}): commits wait for them, so a failover {NONE}")
                    unseen = standbys(role="rosterlog_api")
                    assert (unseen[0], "this login may not see how they follow" in unseen[1]) == ("ok", True)
                    assert readiness(shared) == {"status": "ready"}
            with system(shared, "synchronous_standby_names", "another"):
                until(lambda: standbys()[0] == "fail")
                assert "answered 503; connected: follower (async)" in standbys()[1]
        finally:
            follower.kill()
    until(lambda: standbys()[0] == "ok")


def follow(connection: Connection, *followers: str) -> None:
    """What the server says of the programs that follow it: process number, name, how it follows, and its state."""
    columns = "(pid, application_name, sync_state, state)"
    rows = "select * from (values " + ", ".join(followers) + f") as follower {columns}"
    instead(connection, f"create view public.pg_stat_replication as {rows}")


def test_a_backup_is_no_standby(connection: Connection) -> None:
    follow(connection, "(7, 'pg_basebackup', 'async', 'backup')")
    assert "none is connected" in only(check_standbys(connection), "standbys")[1]


def test_a_standby_without_a_name_beside_one_that_is_waited_for_is_told(connection: Connection) -> None:
    follow(connection, "(7, '', 'async', 'streaming')", "(8, 'near', 'sync', 'streaming')")
    instead(connection, "create function public.current_setting(text) returns text language sql return 'near'")
    level, said = only(check_standbys(connection), "standbys")
    assert level == "ok"
    assert "pid 7 (async), near (sync): a failover to an asynchronous one loses deliveries" in said


def test_a_subscriber_is_no_standby_and_is_told_when_it_is_behind(
    server: postgres.Server, shared: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [str(server.programs / "pg_recvlogical"), f"--dbname={shared}", "--slot=warehouse"]
    publication = ["--option=proto_version=1", "--option=publication_names=rosterlog_reporting"]
    subprocess.run([*command, "--create-slot", "--plugin=pgoutput"], check=True)
    try:
        with subprocess.Popen([*command, "--start", "--file=/dev/null", *publication]) as subscriber:
            try:
                until(lambda: query(shared, "select active from pg_replication_slots") == [(True,)])
                assert only(check_slots(connection), "slots")[0] == "ok"
                assert "none is connected" in only(check_standbys(connection), "standbys")[1]
                monkeypatch.setattr(upkeep, "MUCH_WAL", -1)
                assert "its subscriber is behind" in only(check_slots(connection), "slots")[1]
            finally:
                subscriber.kill()
    finally:
        until(lambda: query(shared, "select active from pg_replication_slots") == [(False,)])
        query(shared, "select pg_drop_replication_slot('warehouse')")
