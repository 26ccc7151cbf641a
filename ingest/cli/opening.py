"""Opens the database in use for a command, once it is known to be reachable, new enough and migrated."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from ingest import migrate as migrations
from ingest.cli.terminal import say
from ingest.database import open_database, sync_engine
from ingest.settings import Settings


@contextmanager
def migrated_database(settings: Settings) -> Iterator[str]:
    """The connection string of the database in use, once it is known to be reachable, new enough and migrated."""
    with open_database(settings, say) as conninfo:
        engine = sync_engine(conninfo)
        with engine.connect() as connection:
            migrations.check_migrated(connection)
        engine.dispose()
        yield conninfo


@contextmanager
def migrated_engine(settings: Settings, role: str | None = None) -> Iterator[Engine]:
    """An engine on the database in use, in this role, once the database is known to be migrated."""
    with migrated_database(settings) as conninfo:
        engine = sync_engine(conninfo, role)
        try:
            yield engine
        finally:
            engine.dispose()
