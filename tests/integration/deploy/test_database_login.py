"""The login that compose.yaml and operations.md make: no superuser, yet it owns the database and sees transactions."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Connection, Engine, text

from ingest import postgres
from ingest.database import sync_engine
from ingest.migrate import migrate
from ingest.postgres import home
from projections.doctor.rights import check_login, check_ownership, check_rights
from projections.doctor.upkeep import check_transactions
from tests import DEADLINE, ROOT
from tests.findings import only, worst
from tests.integration.deploy.test_containers import DEPLOY, SERVICES

Administrator = psycopg.Connection[tuple[Any, ...]]
PASSWORD = "it's"


@pytest.fixture(scope="module", params=["compose", "operations"])
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server whose superuser is postgres, as in Debian and in the image, after one of the two recipes; and which."""
    folder = tmp_path_factory.mktemp("server")
    for parent in (folder, folder.parent):
        parent.chmod(0o711)  # so that, run as root, PostgreSQL's own account can enter
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(home, "NAME", "postgres")
        data = home.cluster_in(folder, print).data
        with (data / "postgresql.auto.conf").open("a") as settings:
            settings.write("max_prepared_transactions = 2\nfsync = off\n")
        rules = data / "pg_hba.conf"
        rules.write_text(f"local all all trust\n{rules.read_text()}")
        with postgres.server(folder, print) as server:
            _make_login(request.param, server)
            yield request.param, server.conninfo


def _make_login(recipe: str, server: postgres.Server) -> None:
    at = conninfo_to_dict(server.conninfo)
    socket = str(at["host"]).partition(",")[0]
    env = {
        **os.environ,
        "PGHOST": socket,
        "PGPORT": str(at["port"]),
        "PGUSER": "postgres",
        "POSTGRES_PASSWORD": PASSWORD,
    }
    for program, *arguments in _commands(recipe):
        path = str(server.programs / program)
        subprocess.run([path, *arguments], check=True, env=env, timeout=DEADLINE, capture_output=True)


def _commands(recipe: str) -> list[list[str]]:
    if recipe == "operations":
        text = (ROOT / "docs" / "operations.md").read_text()
        written = re.findall(r"^runuser -u postgres -- (.+)$", text, re.M)
        return [["dropdb", "rosterlog"], *(shlex.split(command, comments=True) for command in written)]
    [file] = [volume.split(":")[0] for volume in SERVICES["postgres"]["volumes"] if "initdb.d" in volume]
    user, name = (SERVICES["postgres"]["environment"][key] for key in ("POSTGRES_USER", "POSTGRES_DB"))
    options = [f"--username={user}", f"--dbname={name}", "--no-password", "--no-psqlrc", "--set=ON_ERROR_STOP=1"]
    return [["psql", *options, f"--file={DEPLOY / file}"]]


@pytest.fixture
def administrator(fresh: tuple[str, str]) -> Iterator[Administrator]:
    """A session of another login than that of the services."""
    with psycopg.connect(fresh[1], autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def owner(fresh: tuple[str, str]) -> Iterator[Engine]:
    """The login that the recipe made, in the database that it migrated: in compose's network with its password."""
    recipe, conninfo = fresh
    of_compose = {"host": "127.0.0.1", "password": PASSWORD} if recipe == "compose" else {}
    engine = sync_engine(make_conninfo(conninfo, user="rosterlog", **of_compose))
    migrate(engine)
    yield engine
    engine.dispose()


def oldest_transaction(connection: Connection) -> datetime | None:
    oldest: datetime | None = connection.execute(text("select oldest_transaction()")).scalar_one()
    return oldest


def test_the_login_is_no_superuser_and_doctor_finds_nothing(owner: Engine) -> None:
    with owner.connect() as connection:
        found = [
            check_login(connection, is_embedded=False), check_transactions(connection),
            *check_rights(connection), *check_ownership(connection),
        ]  # fmt: skip
    assert worst(found) == []


def test_in_compose_the_superuser_has_no_password(fresh: tuple[str, str], administrator: Administrator) -> None:
    named = administrator.execute("select rolname from pg_authid where rolpassword is not null").fetchall()
    assert named == {"compose": [("rosterlog",)], "operations": [("postgres",)]}[fresh[0]]


def test_a_transaction_of_another_login_is_seen(owner: Engine, administrator: Administrator) -> None:
    with administrator.transaction(), owner.connect() as connection:
        [(began,)] = administrator.execute("select now()")
        assert oldest_transaction(connection) == began


def test_doctor_tells_when_it_would_not_be_seen(owner: Engine, administrator: Administrator) -> None:
    administrator.execute("revoke pg_read_all_stats from rosterlog")
    try:
        with administrator.transaction(), owner.connect() as connection:
            administrator.execute("select 1")
            assert oldest_transaction(connection) is None
            level, said = only(check_transactions(connection), "transactions")
    finally:
        administrator.execute("grant pg_read_all_stats to rosterlog")
    assert level == "warn"
    assert said.endswith("grant pg_read_all_stats to rosterlog")


def test_a_prepared_transaction_is_seen(owner: Engine, administrator: Administrator) -> None:
    administrator.execute("begin; create table forgotten (); prepare transaction 'forgotten'")
    try:
        [(prepared,)] = administrator.execute("select prepared from pg_prepared_xacts")
        with owner.connect() as connection:
            assert oldest_transaction(connection) == prepared
    finally:
        administrator.execute("rollback prepared 'forgotten'")
