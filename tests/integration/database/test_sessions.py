"""Promise 16: a session of ours is as it says itself, whatever the database and the login have as defaults."""

from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ingest.database import WORKER_ROLE, connect
from ingest.session import Deadlines

# What a database could have as its default, and what a session of ours has all the same.
SETTINGS = {
    "search_path": ("pg_catalog", "public"),
    "client_encoding": ("LATIN1", "UTF8"),
    "timezone": ("Asia/Kathmandu", "UTC"),
    "datestyle": ("German", "ISO, YMD"),
    "intervalstyle": ("iso_8601", "postgres"),
    "bytea_output": ("escape", "hex"),
    "extra_float_digits": ("-15", "1"),
    "standard_conforming_strings": ("off", "on"),
    "gin_fuzzy_search_limit": ("1", "0"),
    "default_transaction_isolation": ("serializable", "read committed"),
    "default_transaction_deferrable": ("on", "off"),
    "default_transaction_read_only": ("on", "off"),
    "idle_session_timeout": ("1h", "0"),
    "client_connection_check_interval": ("0", "1s"),
    "tcp_keepalives_idle": ("7200", "2"),
    "tcp_keepalives_interval": ("75", "1"),
    "tcp_keepalives_count": ("9", "2"),
    "statement_timeout": ("1h", "3s"),
    "lock_timeout": ("1h", "0"),
    "idle_in_transaction_session_timeout": ("1h", "4s"),
    "transaction_timeout": ("1h", "5s"),  # of PostgreSQL 17
    "restrict_nonsystem_relation_kind": ("view", ""),
}


@pytest.fixture
def hostile(database: str) -> str:
    """A database with other defaults, reached by TCP."""
    with psycopg.connect(database, autocommit=True) as connection:
        name = conninfo_to_dict(database)["dbname"]
        for setting in _known(connection):
            connection.execute(f"alter database {name} set {setting} = '{SETTINGS[setting][0]}'".encode())
    return make_conninfo(database, host="127.0.0.1")


def test_promise_16_a_session_has_every_setting_that_it_depends_on(hostile: str) -> None:
    with psycopg.connect(hostile) as foreign, connect(hostile, WORKER_ROLE, Deadlines(3, 4, 5)) as ours:
        shown = {setting: (_shown(foreign, setting), _shown(ours, setting)) for setting in _known(foreign)}
    assert shown == {setting: (shown[setting][0], SETTINGS[setting][1]) for setting in shown}
    assert [setting for setting, (before, after) in shown.items() if before == after] == [], "a default that is ours"


def _known(connection: psycopg.Connection[Any]) -> set[str]:
    """The settings that this PostgreSQL has."""
    known = connection.execute("select lower(name) from pg_settings where lower(name) = any(%s)", [[*SETTINGS]])
    return {row[0] for row in known}


def _shown(connection: psycopg.Connection[Any], setting: str) -> str:
    row = connection.execute(f"show {setting}".encode()).fetchone()
    assert row is not None
    return str(row[0])
