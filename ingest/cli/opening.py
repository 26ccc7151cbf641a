"""Opens the database in use for a command, once it is known to be reachable, new enough and migrated."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from ingest import migrate as migrations
from ingest.cli.terminal import say
from ingest.database import open_database, sync_engine
from ingest.session import COMMAND, Deadlines
from ingest.settings import Settings


@contextmanager
def migrated_database(settings: Settings, *, serves: bool = False) -> Iterator[str]:
    """The connection string of the database in use, once it is known to be reachable, new enough and migrated.

    `serves`: for a program that runs until it is stopped.
    """
    with open_database(settings, say, serves=serves) as conninfo:
        engine = sync_engine(conninfo)
        with engine.connect() as connection:
            migrations.check_migrated(connection)
        engine.dispose()
        yield conninfo


@contextmanager
def migrated_engine(
    settings: Settings, role: str | None = None, deadlines: Deadlines = COMMAND, *, serves: bool = False
) -> Iterator[Engine]:
    """An engine on the database in use, in this role, once the database is known to be migrated.

    `serves`: for a program that runs until it is stopped.
    """
    with migrated_database(settings, serves=serves) as conninfo:
        engine = sync_engine(conninfo, role, deadlines)
        try:
            yield engine
        finally:
            engine.dispose()
