"""How commands and servers connect to PostgreSQL: to which database, in which role, with which session settings."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import msgspec
from psycopg import IsolationLevel
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import set_json_loads
from sqlalchemy import Connection, Dialect, Engine, MetaData, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.pool import NullPool

from ingest import hosts, postgres
from ingest.driver import AsyncConnection, SyncConnection, answered_within
from ingest.session import COMMAND, SERVING, Deadlines, Opened, session_commands, transaction_commands
from ingest.settings import Settings
from ingest.shared_sessions import DIRECT, BehindPool, keeps_statements
from ingest.sqlstate import DRIVER_ERRORS, Advice, DatabaseUnusable, takes_no_writes, unusable

if TYPE_CHECKING:  # most commands need none of it, and it takes a tenth of a second to load
    from sqlalchemy.ext.asyncio import AsyncEngine

KEPT_SESSIONS = 8  # of an asynchronous engine, while nobody needs them

metadata = MetaData()

INGEST_ROLE = "rosterlog_ingest"
WORKER_ROLE = "rosterlog_worker"
API_ROLE = "rosterlog_api"
OPERATOR_ROLE = "rosterlog_operator"
SERVICE_ROLES = (INGEST_ROLE, WORKER_ROLE, API_ROLE, OPERATOR_ROLE)
REPORTING_ROLE = "rosterlog_reporting"
REPORTING_PII_ROLE = "rosterlog_reporting_pii"
ROLES = (*SERVICE_ROLES, REPORTING_ROLE, REPORTING_PII_ROLE)

OLDEST_SERVER = 150_000
SOUND_SECONDS = 1.0  # for a pooled connection to show that it is sound: to answer its check or the first statement
_FRESH_SECONDS = 0.5  # since it answered, that a pooled connection is used without a check
_DIALECT = "postgresql+psycopg://"
# Defaults for what the URL does not set. With them, a host that vanished is given up within 20 seconds.
_CONNECTING = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}


@contextmanager
def open_database(
    settings: Settings,
    say: Callable[[str], None],
    *,
    make: bool = False,
    serves: bool = False,
    is_direct: bool = False,
) -> Iterator[str]:
    """The connection string of the database in use: `DATABASE_URL`, else the embedded one, running for this block.

    `make`: make the embedded database if there is none; otherwise that is an error. `serves`: for a program that runs
    until it is stopped; the embedded server is started again if it dies meanwhile. `is_direct`: for what needs a
    session of its own: the address that leads by no pool, if there is one.
    """
    if settings.database_url is not None:
        used = (settings.direct_database_url if is_direct else None) or settings.database_url
        with advised(settings.model_copy(update={"database_url": used})):
            yield used.get_secret_value()
        return
    with postgres.server(settings.data_dir, say, make=make) as server, advised(settings):
        with closing(connect(server.conninfo)) as connection:
            postgres.keep_logins(connection, SERVICE_ROLES)
            connection.commit()
        if serves:
            with postgres.kept_running(settings.data_dir, say):
                yield server.conninfo
        else:
            yield server.conninfo


@contextmanager
def advised(settings: Settings) -> Iterator[None]:
    """Raise an error of the driver as `DatabaseUnusable`, with what to do about the database in use."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise unusable(error, advice_about(settings)) from error


def advice_about(settings: Settings) -> Advice:
    """What to do when the database in use is away, stops or is full; it names the folder, or host and port."""
    if settings.database_url is None:
        folder = settings.data_dir.absolute()
        again = f"it is the embedded one in {folder}: run the command again, which starts it"
        log = folder / "postgres" / "postgres.log"
        return Advice(f"{again}; its log is {log}", again, f"make room on the disk of {folder}, nothing else is needed")
    names = {settings.direct_database_url: DIRECT, settings.read_database_url: "READ_DATABASE_URL"}
    names[settings.to_database_url] = "ROSTERLOG_TO_DATABASE_URL"
    name = names.get(settings.database_url, "DATABASE_URL")
    parameters = conninfo_to_dict(settings.database_url.get_secret_value())
    host = parameters.get("host") or parameters.get("hostaddr") or "this machine"
    where = f"host {host}, port {parameters.get('port') or 5432}"
    room = f"make room on the disk of {host}, nothing else is needed"
    return Advice(f"is {name} right ({where}) and does PostgreSQL run there?", full=room)


def full_conninfo(conninfo: str, role: str | None = None) -> str:
    """The connection string, with our time-outs and keepalives where it does not set its own.

    A service of ours is told from the others by its name; on the embedded database it has a login of its own.
    """
    if role in SERVICE_ROLES:
        conninfo = postgres.as_login(conninfo, role)
    parameters = conninfo_to_dict(conninfo)
    ours = {**_CONNECTING, "application_name": application_name(role)}
    if hosts.names_several(conninfo):
        ours["connect_timeout"] = hosts.SECONDS_FOR_EACH
    return make_conninfo(conninfo, **{name: value for name, value in ours.items() if name not in parameters})


def application_name(role: str | None = None) -> str:
    """By which PostgreSQL shows the sessions of a role's service."""
    return f"rosterlog {role.removeprefix('rosterlog_')}" if role in SERVICE_ROLES else "rosterlog"


def sync_engine(
    conninfo: str,
    role: str | None = None,
    deadlines: Deadlines = COMMAND,
    *,
    read_only: bool = False,
    is_direct: bool = False,
) -> Engine:
    """An engine for commands and workers. Any libpq URL works: SQLAlchemy never parses it. `is_direct`: as below."""
    options = {"read_only": read_only, "is_direct": is_direct}
    engine = create_engine(
        _DIALECT, creator=lambda: connect(conninfo, role, deadlines, **options), hide_parameters=True
    )
    if not read_only:
        _leave_what_is_demoted(engine)
    return engine


def connect(
    conninfo: str,
    role: str | None = None,
    deadlines: Deadlines = COMMAND,
    *,
    read_only: bool = False,
    is_direct: bool = False,
) -> SyncConnection:
    """A connection of the driver alone, with a session of ours.

    `is_direct`: raise `BehindPool` if the session would not be this connection's from its beginning to its end.
    """
    # Not in a transaction, which a default of the login could end before its time-outs are set.
    connection = hosts.connected(full_conninfo(conninfo, role))
    connection.wait_seconds = deadlines.wait
    commands = session_commands(role, deadlines, read_only=read_only, backend_pid=connection.info.backend_pid)
    try:
        cursor = connection.execute(commands.encode())
        while cursor.nextset():
            pass
        opened = Opened(*(cursor.fetchone() or ()))
        if opened.is_shared:
            _refuse_pool(is_direct)
            connection.each_transaction = transaction_commands(role, deadlines, opened).encode()
            connection.isolation_level, connection.deferrable = IsolationLevel.READ_COMMITTED, False
            connection.read_only = _as_begun(opened, read_only=read_only)
            if not connection.wait(keeps_statements(connection.pgconn)):
                connection.prepare_threshold = None
        connection.autocommit = False
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_pool(is_direct: bool) -> None:  # noqa: FBT001 - private
    if is_direct:
        raise BehindPool


def _as_begun(opened: Opened, *, read_only: bool) -> bool | None:
    """How each transaction behind a pool begins: a standby refuses to begin one that is to write."""
    return None if opened.is_standby and not read_only else read_only


async def connect_async(
    conninfo: str, role: str, deadlines: Deadlines, *, read_only: bool, autocommit: bool = False
) -> AsyncConnection:
    """A connection of the driver alone, for a server, with a session of ours."""
    connection = await hosts.connected_async(full_conninfo(conninfo, role))
    connection.add_notice_handler(connection.note_unwaited)
    connection.wait_seconds = deadlines.wait
    commands = session_commands(role, deadlines, read_only=read_only, backend_pid=connection.info.backend_pid)
    try:
        cursor = await connection.execute(commands.encode())
        while cursor.nextset():
            pass
        opened = Opened(*(await cursor.fetchone() or ()))
        if opened.is_shared:
            connection.each_transaction = transaction_commands(role, deadlines, opened).encode()
            await connection.set_isolation_level(IsolationLevel.READ_COMMITTED)
            await connection.set_deferrable(False)
            await connection.set_read_only(_as_begun(opened, read_only=read_only))
            if not await connection.wait(keeps_statements(connection.pgconn)):
                connection.prepare_threshold = None
        await connection.set_autocommit(autocommit)
    except BaseException:
        await connection.close()
        raise
    return connection


def async_engine(
    conninfo: str,
    role: str,
    *,
    read_only: bool,
    keeps: bool = True,
    deadlines: Deadlines = SERVING,
    most: int | None = None,
) -> "AsyncEngine":
    """An engine for servers. A connection that was idle is checked before its use.

    `read_only`: each transaction reads one snapshot. `keeps`: connections are pooled; otherwise each is closed after
    one use. `most`: so many sessions are open at the most.
    """
    from sqlalchemy.ext.asyncio import create_async_engine

    async def connect_one(*_: object, **__: object) -> AsyncConnection:
        connection = await connect_async(conninfo, role, deadlines, read_only=read_only)
        if read_only:
            await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
            connection.keep_what_is_prepared()
        set_json_loads(msgspec.json.decode, connection)  # a tenth of the time of json.loads
        return connection

    size = {"pool_size": KEPT_SESSIONS} if most is None else {"pool_size": most, "max_overflow": 0}
    pool = {"pool_pre_ping": True, "pool_timeout": 5, **size} if keeps else {"poolclass": NullPool}
    engine = create_async_engine(_DIALECT, async_creator=connect_one, hide_parameters=True, **pool)
    _check_shortly(engine.sync_engine.dialect)
    if not read_only:
        _leave_what_is_demoted(engine.sync_engine)
    return engine


def _leave_what_is_demoted(engine: Engine) -> None:
    """Give up all pooled connections once a server takes no writes: after a failover another one does.

    A primary that is demoted ends its sessions, but not those of a pool between, which lead to a standby from then on.
    """

    @event.listens_for(engine, "handle_error")
    def on_error(context: ExceptionContext) -> None:
        if takes_no_writes(context.original_exception):
            context.is_disconnect = True


def _check_shortly(dialect: Dialect) -> None:
    """Give up a pooled connection soon if it does not answer before its use: the next one may."""
    check = dialect.do_ping

    def do_ping(connection: DBAPIConnection) -> bool:
        if dialect.get_driver_connection(connection).answered_lately(_FRESH_SECONDS):
            return True
        with answered_within(SOUND_SECONDS):
            return check(connection)

    dialect.do_ping = do_ping  # type: ignore[assignment, method-assign]


def driver_connection(connection: Connection) -> SyncConnection:
    """The driver's own connection."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, SyncConnection)  # noqa: S101 - the driver of our engines
    return driver


def check_server(connection: Connection) -> None:
    """Raise `DatabaseUnusable` if the server is too old or stores text in another encoding than UTF-8."""
    version, encoding = connection.execute(
        text("select current_setting('server_version_num')::int, current_setting('server_encoding')")
    ).one()
    if version < OLDEST_SERVER:
        raise DatabaseUnusable(f"PostgreSQL {version // 10_000} is too old: rosterlog needs PostgreSQL 15 or newer")
    if encoding != "UTF8":
        raise DatabaseUnusable(f"the database's encoding is {encoding}: create one with encoding 'UTF8'")
