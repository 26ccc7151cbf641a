"""Which database a command writes into is said before it does, however that database was named; no password ever."""

import json
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests import model
from tests.program import environ, run

pytestmark = pytest.mark.acceptance

WRITING: tuple[tuple[tuple[str, ...], int], ...] = (
    (("status",), 0),
    (("token", "create", "reader"), 0),
    (("token", "revoke", "reader"), 0),
    (("erase", "1", "--reason", "asked", "--yes"), 0),
    (("erase", "--reapply"), 0),
    (("rebuild", "--yes"), 0),
    (("quarantine", "retry"), 0),
    (("verify",), 0),
    (("quarantine", "dismiss", "2", "--reason", "x"), 2),
    (("migrate",), 0),
    (("migrate", "--roles"), 0),
)


@pytest.fixture
def place(database: str) -> str:
    """What is said of the database."""
    with psycopg.connect(database) as connection:
        return f"{connection.info.dbname} at {connection.info.host}, port {connection.info.port}"


def test_every_command_that_writes_says_where_and_those_that_read_do_not(database: str, place: str) -> None:
    model.append(database, [model.body(1)])
    env = environ(DATABASE_URL=database)
    password = str(conninfo_to_dict(database)["password"])
    for args, code in WRITING:
        printed = run(*args, env=env, code=code)
        assert printed.splitlines()[0] == f"rosterlog: database: {place}", args
        assert password not in printed
        assert ("nothing runs, and no worker was ever seen: " in printed) == (args == ("status",))
        assert "demo" not in printed
    login = f"analyst_{conninfo_to_dict(database)['dbname']}"
    assert run("report", "--grant", login, env=env).splitlines()[0] == f"rosterlog: database: {place}"
    for reading in ("token list", "log list", "erase --list", "quarantine list", "fields", "verify --json"):
        assert "database: " not in run(*reading.split(), env=env), reading
    shown = json.loads(run("status", "--json", env=env))
    assert (shown["database"], shown["is_demo"]) == (place, False)


def test_the_place_is_the_one_that_was_found_behind_hosts_services_and_the_environment(
    database: str, place: str, tmp_path: Path
) -> None:
    given = conninfo_to_dict(database)
    service = tmp_path / "services.conf"
    named = "\n".join(f"{name}={value}" for name, value in given.items() if name != "password")
    service.write_text(f"[roster]\n{named}\n")
    password = {"PGPASSWORD": str(given["password"])}
    rest = {"PGHOST": str(given["host"]), "PGPORT": str(given["port"]), "PGUSER": str(given["user"])}
    port = given["port"]
    for settings in (
        {"DATABASE_URL": make_conninfo(database, host=f"/nowhere,{given['host']}", port=f"{port},{port},{port}")},
        {"DATABASE_URL": "service=roster", "PGSERVICEFILE": str(service), **password},
        {"DATABASE_URL": f"postgresql:///{given['dbname']}", **rest, **password},
    ):
        printed = run("token", "create", "reader", env=environ(**settings))
        assert printed.splitlines()[0] == f"rosterlog: database: {place}"
        run("token", "revoke", "reader", env=environ(**settings))
