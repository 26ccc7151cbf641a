"""Opens the database in use for a command, once it is known to be reachable, new enough and migrated."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from ingest import migrate as migrations
from ingest.cli.terminal import printable, say
from ingest.database import open_database, sync_engine
from ingest.log.read import holds_any
from ingest.session import COMMAND, Deadlines
from ingest.settings import DEFAULT_SOURCE, Settings
from ingest.simulator.demo import demo_digests

logger = logging.getLogger(__name__)

_READS_LOG = text("select coalesce(has_table_privilege(to_regclass('public.event_log')::oid, 'select'), false)")
_DEMO = "the demo's made-up people are in this database: for real ones, use a new ROSTERLOG_DATA_DIR"


@contextmanager
def migrated_database(
    settings: Settings, *, serves: bool = False, tells: bool = False, is_direct: bool = False
) -> Iterator[str]:
    """The connection string of the database in use, once it is known to be reachable, new enough and migrated.

    `serves`: for a program that runs until it is stopped, and has a log instead of a person at a terminal. `tells`: say
    which database it is, as every command does that writes. `is_direct`: for what needs a session from its beginning to
    its end; raises `BehindPool` if there is none.
    """
    with open_database(settings, logger.warning if serves else say, serves=serves, is_direct=is_direct) as conninfo:
        engine = sync_engine(conninfo, is_direct=is_direct)
        with engine.connect() as connection:
            migrations.check_migrated(connection)
            if serves:
                log_database(settings, connection)
            elif tells:
                tell_database(settings, connection)
        engine.dispose()
        yield conninfo


@contextmanager
def migrated_engine(
    settings: Settings,
    role: str | None = None,
    deadlines: Deadlines = COMMAND,
    *,
    serves: bool = False,
    tells: bool = False,
    is_direct: bool = False,
) -> Iterator[Engine]:
    """An engine on the database in use, in this role, once the database is known to be migrated.

    `serves`, `tells`, `is_direct`: as for `migrated_database`.
    """
    with migrated_database(settings, serves=serves, tells=tells, is_direct=is_direct) as conninfo:
        engine = sync_engine(conninfo, role, deadlines)
        try:
            yield engine
        finally:
            engine.dispose()


def tell_database(settings: Settings, connection: Connection) -> None:
    """Tell the person at the terminal which database is in use, and that it is the demo's if it is."""
    say(f"database: {place_of(settings, connection)}")
    if is_demo(connection):
        say(_DEMO)


def log_database(settings: Settings, connection: Connection) -> None:
    """The same as lines of the log."""
    logger.info("database in use", extra={"fields": {"database": place_of(settings, connection)}})
    if is_demo(connection):
        logger.warning(_DEMO)


def place_of(settings: Settings, connection: Connection) -> str:
    """Which database is in use: the embedded one's folder, else name, host and port, as they turned out in the end.

    A URL may name several hosts, a service or nothing at all: only the connection knows. Never a user or a password.
    """
    if settings.database_url is None:
        return f"the embedded one in {settings.data_dir.absolute()}"
    info = connection.connection.driver_connection.info  # type: ignore[union-attr] # the driver's, which is open
    return printable(f"{info.dbname} at {info.host}, port {info.port}")


def is_demo(connection: Connection) -> bool:
    """Whether a demo was run on this database: the log has one of its deliveries, as far as the login may read it."""
    may_read = connection.execute(_READS_LOG).scalar_one()
    return may_read and holds_any(connection, DEFAULT_SOURCE, demo_digests())
