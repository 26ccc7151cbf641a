"""Runs the migrations on the connection that `rosterlog migrate` hands in: the versions, then the files of `sql`.

Without such a connection, as in `alembic check`, it opens the environment's database.
"""

import os
import re
import sys
from functools import partial

from alembic import command, context
from sqlalchemy import Connection, text

from ingest import citus
from ingest.database import metadata, open_database, sync_engine
from ingest.log import failed_look as _failed_look_table
from ingest.log import hours as _hours_table
from ingest.log import reconciliation as _reconciliation_table
from ingest.log import refused as _refused_table
from ingest.log import table as _log_tables
from ingest.log import verification as _verification_table
from ingest.migrate import make_roles, role_statements
from ingest.session import LONG
from ingest.settings import read_settings
from migrations import distribution, objects
from migrations.execute import verbatim
from projections.folding import inner_completeness as _inner_table
from projections.folding import table as _folding_tables
from projections.participants import table as _participant_tables
from projections.registrations import table as _registration_tables
from projections.web.access import sessions as _session_tables

# Imported so that their tables are in `metadata`, which `alembic check` compares with the database.
_TABLES = (
    _log_tables, _hours_table, _failed_look_table, _reconciliation_table, _refused_table, _verification_table,
    _inner_table, _folding_tables, _participant_tables, _registration_tables, _session_tables,
)  # fmt: skip

# A migration waits briefly for a lock, then gives up: deliveries queue behind a lock that is waited for.
_TIMEOUTS = "set local lock_timeout = '5s'; set local statement_timeout = '1h'"
_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtext('rosterlog migrate'))"

# Builds come and go; functions of the database alone write the published tables, versions write the letters.
_NOT_DECLARED = re.compile(r".+_build_\d+|published_.+|letter")


def is_declared(name: str | None, kind: str, _parents: object) -> bool:
    """Whether `alembic check` compares a table of the database with the tables that the code declares."""
    return kind != "table" or name is None or not _NOT_DECLARED.fullmatch(name)


def migrate_online(connection: Connection, *, makes_objects: bool, distributes: bool = False) -> None:
    context.configure(connection=connection, target_metadata=metadata, include_name=is_declared)
    with context.begin_transaction():
        connection.execute(text(_ONE_AT_A_TIME))
        connection.execute(text(_TIMEOUTS))
        context.run_migrations()
        if distributes:
            distribution.spread(connection)
        if makes_objects:
            is_distributed = citus.is_distributed(connection)
            objects.make(connection, is_distributed=is_distributed)
            if is_distributed:
                distribution.delegate(connection)


def migrate_offline() -> None:
    named = {"paramstyle": "named"}  # with psycopg's own style each percent sign would be doubled
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True, dialect_opts=named)
    with context.begin_transaction():
        for statement in (_TIMEOUTS, *role_statements()):
            context.execute(verbatim(statement))
        context.run_migrations()
        for statement in (*objects.every_file(), objects.REVISION_READABLE):
            context.execute(verbatim(statement))


def is_upgrade() -> bool:
    """Whether alembic's own command line was asked to upgrade, not only to check or to show something."""
    return getattr(context.config.cmd_opts, "cmd", [None])[0] is command.upgrade


def main() -> None:
    handed_in = context.config.attributes.get("connection")
    if context.is_offline_mode():
        migrate_offline()
    elif handed_in is not None:
        attributes = context.config.attributes
        migrate_online(handed_in, makes_objects=attributes["makes_objects"], distributes=attributes["distributes"])
    else:
        settings = read_settings(os.environ)
        say = partial(print, file=sys.stderr)
        with open_database(settings, say, make=True, is_direct=True) as conninfo:
            engine = sync_engine(conninfo, deadlines=LONG, is_direct=True)
            if is_upgrade():
                with engine.begin() as connection:
                    make_roles(connection)
            with engine.connect() as connection:
                migrate_online(connection, makes_objects=is_upgrade())
            engine.dispose()


main()
