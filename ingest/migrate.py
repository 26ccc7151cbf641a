"""Brings a database's schema up to date, and tells whether it is. The steps themselves are in `migrations`."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from ingest.database import ROLES, check_version
from ingest.sqlstate import DatabaseUnusable

# Roles belong to the whole server, so another database's migration may have made them, even at this very moment.
# Whoever migrates may take each of them; where an administrator has seen to that already, the grant may be refused.
_MAKE_ROLE = """
do $$ begin
  if not exists (select from pg_roles where rolname = '{role}') then
    begin
      create role {role} nologin;
    exception when duplicate_object or unique_violation then null;
    end;
  end if;
  begin
    grant {role} to current_user;
  exception when insufficient_privilege then null;
  end;
end $$
"""


def make_roles(engine: Engine) -> None:
    """Make the roles where they are missing. A dump of the database holds none: they are the server's."""
    with engine.begin() as connection:
        check_version(connection)
        for role in ROLES:
            connection.execute(text(_MAKE_ROLE.format(role=role)))


def migrate(engine: Engine, revision: str = "head") -> tuple[str | None, str | None]:
    """Upgrade to a revision; gives the one before and the one after. Nothing is changed if they are the same.

    Raises `DatabaseUnusable` for a database that is too old or was migrated by a newer rosterlog.
    """
    with engine.connect() as connection:
        check_version(connection)
        before = _revision(connection)
        _refuse_newer(before)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
        return before, _revision(connection)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to an older revision (`base`: to nothing), with what the dropped tables held."""
    with engine.connect() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
        connection.commit()


def check_migrated(connection: Connection) -> None:
    """Raise `DatabaseUnusable` unless the schema is this program's, as far as whoever connected may know."""
    check_version(connection)
    readable = connection.execute(
        text("select has_table_privilege(to_regclass('alembic_version')::oid, 'select')")
    ).scalar_one()
    if readable is False:
        return  # a login of its own for one service sees no more than its role; its first query will tell
    found = _revision(connection)
    _refuse_newer(found)
    if found != _head():
        raise DatabaseUnusable(f"the database is not migrated (it is at {found or 'nothing'}): run rosterlog migrate")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _head() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _revision(connection: Connection) -> str | None:
    try:
        found = MigrationContext.configure(connection).get_current_revision()
    except ProgrammingError:
        found = None
    connection.rollback()
    return found


def _refuse_newer(revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseUnusable(f"the database was migrated by a newer rosterlog (to {revision}): upgrade rosterlog")
