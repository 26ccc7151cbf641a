"""Connections of the commands that compare: one that reads in one snapshot, and engines of a role."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from ingest.cli.opening import migrated_database
from ingest.database import WORKER_ROLE, sync_engine
from ingest.session import LONG
from ingest.settings import Settings
from projections.catalogue import catalogue
from projections.folding.projection import Projection


@contextmanager
def roster_snapshot(settings: Settings) -> Iterator[Connection]:
    """A connection that reads in one snapshot and changes nothing."""
    with migrated_database(settings) as conninfo, reading_snapshot(conninfo) as connection:
        yield connection


@contextmanager
def reading_snapshot(conninfo: str) -> Iterator[Connection]:
    with (
        role_engine(conninfo, WORKER_ROLE) as engine,
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
    ):
        connection.execute(text("set transaction read only"))
        try:
            yield connection
        except BaseException:  # perhaps a signal: the database may never answer, and there is nothing to take back
            connection.invalidate()
            raise


@contextmanager
def role_engine(conninfo: str, role: str) -> Iterator[Engine]:
    engine = sync_engine(conninfo, role, LONG)
    try:
        yield engine
    finally:
        engine.dispose()


def participants_projection(settings: Settings) -> Projection:
    participants, *_ = catalogue(settings.fields_file, settings.time_zone)
    return participants
