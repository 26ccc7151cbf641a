"""Runs the migrations: on the connection `rosterlog migrate` hands in, for developers on the environment's database."""

import os
import re
import sys

from alembic import context
from sqlalchemy import Connection, text

from ingest.database import metadata, open_database, sync_engine
from ingest.log import table as _log_tables
from ingest.settings import read_settings
from projections.folding import builds, checkpoint, quarantine, unknown_types
from projections.participants import table as _participant_tables
from projections.registrations import table as _registration_tables
from projections.reports import publication
from projections.web.access import tokens

# Imported so that their tables are in `metadata`, which `alembic check` compares with the database.
_ = (
    _log_tables,
    builds,
    checkpoint,
    unknown_types,
    publication,
    quarantine,
    _participant_tables,
    _registration_tables,
    tokens,
)

# A migration waits briefly for its locks, then gives up: deliveries queue behind a lock that is waited for.
_TIMEOUTS = "set local lock_timeout = '5s'; set local statement_timeout = '1h'"
_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtext('rosterlog migrate'))"


_OF_ONE_BUILD = re.compile(r"_build_\d+\Z")


def is_fixed(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a table is there from the migrations on. Those of a build come and go."""
    return kind != "table" or name is None or not _OF_ONE_BUILD.search(name)


def migrate_online(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, include_name=is_fixed)
    with context.begin_transaction():
        connection.execute(text(_ONE_AT_A_TIME))
        connection.execute(text(_TIMEOUTS))
        context.run_migrations()


def migrate_offline() -> None:
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.execute(_TIMEOUTS)
        context.run_migrations()


def main() -> None:
    handed_in = context.config.attributes.get("connection")
    if context.is_offline_mode():
        migrate_offline()
    elif handed_in is not None:
        migrate_online(handed_in)
    else:
        settings = read_settings(os.environ)
        with open_database(settings, lambda line: print(line, file=sys.stderr), make=True) as conninfo:  # noqa: T201
            engine = sync_engine(conninfo)
            with engine.connect() as connection:
                migrate_online(connection)
            engine.dispose()


main()
