"""What a person is told when the database in use is away: which one it is, and what to do; shown on real errors."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import text

from ingest import postgres
from ingest.database import open_database, sync_engine
from ingest.settings import Settings, read_settings
from ingest.sqlstate import DatabaseUnusable

ENDED = "select pg_terminate_backend(pg_backend_pid())"
FULL = "do $$ begin raise disk_full using message = 'no space'; end $$"


def told(settings: Settings, statement: str = "select 1", **changed: str) -> str:
    """What a command is told whose statement fails. `changed`: parameters of its connection."""
    with pytest.raises(DatabaseUnusable) as caught:
        run(settings, statement, changed)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def run(settings: Settings, statement: str, changed: Mapping[str, str]) -> None:
    with open_database(settings, print) as conninfo:
        engine = sync_engine(make_conninfo(conninfo, **changed))
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()


@pytest.fixture
def embedded(server: postgres.Server) -> Settings:
    """The settings of the embedded server that runs for all tests, which a command joins."""
    return read_settings({"ROSTERLOG_DATA_DIR": str(folder_of(server))})


def folder_of(server: postgres.Server) -> Path:
    return server.password_file.parent.parent


def test_the_embedded_database_is_named_by_its_folder(embedded: Settings, server: postgres.Server) -> None:
    again = f"it is the embedded one in {folder_of(server)}: run the command again, which starts it"
    assert again in told(embedded, ENDED)
    away = told(embedded, host="127.0.0.1", port="1")
    assert f"{again}; its log is {folder_of(server)}/postgres/postgres.log" in away
    assert Path(away.rpartition("its log is ")[2]).exists()
    assert "DATABASE_URL" not in away
    assert f"make room on the disk of {folder_of(server)}" in told(embedded, FULL)


def test_any_other_is_named_by_host_and_port_and_never_by_its_password(database: str) -> None:
    settings = read_settings({"DATABASE_URL": make_conninfo(host="127.0.0.1", port=1, dbname="d", password="hush")})
    away = told(settings)
    assert "is DATABASE_URL right (host 127.0.0.1, port 1) and does PostgreSQL run there?" in away
    assert "hush" not in away
    here = read_settings({"DATABASE_URL": database})
    assert "try again" in told(here, ENDED)
    assert "make room on the disk of " in told(here, FULL)


def test_a_server_that_refuses_is_told_apart_from_one_that_is_away(server: postgres.Server) -> None:
    for changed, advice in (
        ({"dbname": "nowhere"}, "make it, or name another"),
        ({"user": "nobody"}, "are the user and the password right?"),
        ({"password": "hush"}, "are the user and the password right?"),
    ):
        settings = read_settings({"DATABASE_URL": make_conninfo(server.conninfo, **changed)})
        message = told(settings)
        assert message.endswith(advice), message
        assert "hush" not in message
