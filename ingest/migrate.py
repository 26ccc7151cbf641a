"""Brings a database's schema up to date, and tells whether it is. The steps themselves are in `migrations`."""

import re
from collections.abc import Iterator
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from ingest.database import REPORTING_PII_ROLE, REPORTING_ROLE, ROLES, check_version
from ingest.failures import WrongUsage
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
# For whoever makes one of them a login; `rosterlog report --grant` makes logins of their own. What an administrator set
# instead stays.
_LIMIT_ROLE = """
do $$ begin
  if not exists (
    select from pg_roles, unnest(rolconfig) as setting
    where rolname = '{role}' and setting like 'statement_timeout=%'
  ) then
    alter role {role} set statement_timeout = '60s';
  end if;
exception when insufficient_privilege or unique_violation then null;
end $$
"""
_BEFORE_BASELINE = re.compile(r"\d{4}")


class BeforeFirstRelease(WrongUsage):
    """The database was made before the first release, whose migrations begin anew; nothing was touched."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the database is from before the first release (at {revision}): dump its log's tables as data and load "
            "them into a new database, as docs/operations.md says under 'From before the first release'"
        )


def role_statements() -> Iterator[str]:
    """What makes the roles where they are missing."""
    yield from (_MAKE_ROLE.format(role=role) for role in ROLES)
    yield from (_LIMIT_ROLE.format(role=role) for role in (REPORTING_ROLE, REPORTING_PII_ROLE))


def make_roles(connection: Connection) -> None:
    """Make the roles where they are missing. A dump of the database holds none: they are the server's."""
    check_version(connection)
    for statement in role_statements():
        connection.execute(text(statement))


def migrate(engine: Engine) -> tuple[str | None, str | None]:
    """Upgrade to the newest revision; gives the one before and the one after.

    Functions and views become what their files say in any case. Raises `DatabaseUnusable` for a database that is too
    old or was migrated by a newer rosterlog.
    """
    with engine.connect() as connection:
        check_version(connection)
        before = _revision(connection)
        _refuse_others(before)
        make_roles(connection)
        connection.commit()  # other databases of the server need not wait for this one's migration to make theirs
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        return before, _revision(connection)


def check_migrated(connection: Connection) -> None:
    """Raise `DatabaseUnusable` unless the schema is this program's, as far as whoever connected may know."""
    check_version(connection)
    readable = connection.execute(
        text("select has_table_privilege(to_regclass('alembic_version')::oid, 'select')")
    ).scalar_one()
    if readable is False:
        return  # a login of its own for one service sees no more than its role; its first query will tell
    found = _revision(connection)
    _refuse_others(found)
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


def _refuse_others(revision: str | None) -> None:
    if revision is not None and _BEFORE_BASELINE.fullmatch(revision):
        raise BeforeFirstRelease(revision)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseUnusable(f"the database was migrated by a newer rosterlog (to {revision}): upgrade rosterlog")
