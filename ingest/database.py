"""How commands and servers connect to PostgreSQL: to which database, in which role, with which session settings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import set_json_loads
from sqlalchemy import Connection, Engine, MetaData, create_engine, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from ingest import postgres
from ingest.settings import Settings
from ingest.sqlstate import DatabaseUnusable

metadata = MetaData()

INGEST_ROLE = "rosterlog_ingest"
WORKER_ROLE = "rosterlog_worker"
API_ROLE = "rosterlog_api"
OPERATOR_ROLE = "rosterlog_operator"
REPORTING_ROLE = "rosterlog_reporting"
REPORTING_PII_ROLE = "rosterlog_reporting_pii"
ROLES = (INGEST_ROLE, WORKER_ROLE, API_ROLE, OPERATOR_ROLE, REPORTING_ROLE, REPORTING_PII_ROLE)

OLDEST_SERVER = 150_000
_STATEMENT_TIMEOUT = "15s"  # of read-only sessions
_DIALECT = "postgresql+psycopg://"
# Defaults for what the URL does not set. With them, a host that vanished is given up within 20 seconds.
_CONNECTING = {
    "connect_timeout": "5",
    "application_name": "rosterlog",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}


@contextmanager
def open_database(
    settings: Settings, say: Callable[[str], None], *, make: bool = False, serves: bool = False
) -> Iterator[str]:
    """The connection string of the database in use: `DATABASE_URL`, else the embedded one, running for this block.

    `make`: make the embedded database if there is none; otherwise that is an error. `serves`: for a program that runs
    until it is stopped; the embedded server is started again if it dies meanwhile.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with postgres.server(settings.data_dir, say, make=make) as server:
        if serves:
            with postgres.kept_running(settings.data_dir, say):
                yield server.conninfo
        else:
            yield server.conninfo


def full_conninfo(conninfo: str) -> str:
    """The connection string, with our time-outs and keepalives where it does not set its own."""
    parameters = conninfo_to_dict(conninfo)
    return make_conninfo(conninfo, **{name: value for name, value in _CONNECTING.items() if name not in parameters})


def session_commands(role: str | None, *, read_only: bool = False) -> str:
    """The SQL that a new connection runs first: its encodings, role and time-outs, and read-only where asked."""
    # A schema with the name of the user or the role must not come before ours.
    commands = ["set search_path = public", "set client_encoding = 'UTF8'", "set timezone = 'UTC'"]
    commands += ["set datestyle = 'ISO, YMD'"]
    commands += [f"set role {role}"] if role else []
    if role == WORKER_ROLE:
        # So a worker's lock on its checkpoint is released within five seconds, even if the worker hangs or vanishes.
        commands += ["set idle_in_transaction_session_timeout = '4s'", "set client_connection_check_interval = '1s'"]
        commands += ["set tcp_keepalives_idle = 2", "set tcp_keepalives_interval = 1", "set tcp_keepalives_count = 2"]
    if read_only:
        commands += ["set default_transaction_read_only = on", f"set statement_timeout = '{_STATEMENT_TIMEOUT}'"]
    return "; ".join(commands)


def sync_engine(conninfo: str, role: str | None = None) -> Engine:
    """An engine for commands and workers. Any libpq URL works: SQLAlchemy never parses it."""
    full = full_conninfo(conninfo)
    engine = create_engine(_DIALECT, creator=lambda: psycopg.connect(full), hide_parameters=True)
    _run_first(engine, session_commands(role))
    return engine


def async_engine(conninfo: str, role: str, *, read_only: bool, keeps: bool = True) -> AsyncEngine:
    """An engine for servers. Connections are checked before use, so a restart of the database breaks no request.

    `keeps`: connections are pooled; otherwise each is closed after one use.
    """
    full = full_conninfo(conninfo)

    async def connect(*_: object, **__: object) -> psycopg.AsyncConnection[Any]:
        connection = await psycopg.AsyncConnection.connect(full)
        set_json_loads(msgspec.json.decode, connection)  # a tenth of the time of json.loads
        return connection

    pool = {"pool_pre_ping": True, "pool_size": 8, "pool_timeout": 5} if keeps else {"poolclass": NullPool}
    engine = create_async_engine(_DIALECT, async_creator=connect, hide_parameters=True, **pool)
    _run_first(engine.sync_engine, session_commands(role, read_only=read_only))
    return engine


def _run_first(engine: Engine, commands: str) -> None:
    @event.listens_for(engine, "connect")
    def run(connection: psycopg.Connection[Any], _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(commands)
        cursor.close()
        connection.commit()


def check_server(connection: Connection) -> None:
    """Raise `DatabaseUnusable` if the server is too old or stores text in another encoding than UTF-8."""
    version, encoding = connection.execute(
        text("select current_setting('server_version_num')::int, current_setting('server_encoding')")
    ).one()
    if version < OLDEST_SERVER:
        raise DatabaseUnusable(f"PostgreSQL {version // 10_000} is too old: rosterlog needs PostgreSQL 15 or newer")
    if encoding != "UTF8":
        raise DatabaseUnusable(f"the database's encoding is {encoding}: create one with encoding 'UTF8'")
