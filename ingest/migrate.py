"""Brings a database's schema up to date, and tells whether it is. The steps themselves are in `migrations`."""

import re
from collections.abc import Iterator
from importlib.resources import files

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from ingest import postgres
from ingest.citus import worker_nodes
from ingest.database import (
    OPERATOR_ROLE,
    REPORTING_PII_ROLE,
    REPORTING_ROLE,
    ROLES,
    SERVICE_ROLES,
    WORKER_ROLE,
    check_server,
    driver_connection,
)
from ingest.failures import WrongUsage
from ingest.sqlstate import DatabaseUnusable

# Roles belong to the whole server: the migration of another database may have made them, or be making them now.
# The user who migrates is granted each role; the grant may be refused where an administrator has granted it already.
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
# In case an administrator lets a reporting role itself log in; `rosterlog report --grant` makes separate logins. A
# timeout that is set already stays.
_LIMIT_ROLE = """
do $$ begin
  if not exists (
    select from pg_roles, unnest(rolconfig) as setting
    where rolname = '{role}' and setting like 'statement_timeout=%'
  ) then
    alter role {role} set statement_timeout = '60s';
  end if;
exception when insufficient_privilege or unique_violation or internal_error then null; -- another session's change
end $$
"""
# Who lifts an erasure folds the participant again, as the worker's role does; without its rights otherwise.
_OPERATOR_FOLDS = f"""
do $$ begin
  if not pg_has_role('{OPERATOR_ROLE}', '{WORKER_ROLE}', 'member') then
    alter role {OPERATOR_ROLE} noinherit;
    grant {WORKER_ROLE} to {OPERATOR_ROLE};
  end if;
exception when insufficient_privilege or unique_violation or internal_error then null; -- another session's change
end $$
"""
_OWNS_THE_LOG = text("""
select pg_has_role(c.relowner, 'usage') from pg_class c where c.oid = to_regclass('public.event_log')
""")
_NOTE_HEADS = text("select note_heads()")  # after the commit, by which what was appended meanwhile can be seen
_REVISION = text("select version_num from alembic_version")
_BEFORE_BASELINE = re.compile(r"\d{4}")  # such as 0009; a revision of today has a name as well


class BeforeFirstRelease(WrongUsage):
    """The database was made before the first release, whose migrations begin anew; nothing was touched."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the database is from before the first release (at {revision}): dump its log's tables as data and load "
            "them into a new database, as docs/operations.md says under 'From before the first release'"
        )


def role_statements() -> Iterator[str]:
    """The SQL that makes the missing roles."""
    yield from (_MAKE_ROLE.format(role=role) for role in ROLES)
    yield from (_LIMIT_ROLE.format(role=role) for role in (REPORTING_ROLE, REPORTING_PII_ROLE))
    yield _OPERATOR_FOLDS


def make_roles(connection: Connection) -> None:
    """Make the missing roles. A dump of one database holds no roles: they belong to the server."""
    check_server(connection)
    for statement in role_statements():
        connection.execute(text(statement))
    postgres.keep_logins(driver_connection(connection), SERVICE_ROLES)


def migrate(engine: Engine) -> tuple[str | None, str | None]:
    """Upgrade to the newest revision; gives the revisions before and after.

    The owner's login also makes functions and views what their files say, where nothing is left to upgrade too; any
    other login leaves such a database as it is. Raises `DatabaseUnusable` if the server is too old or a newer rosterlog
    has migrated the database, and `BeforeFirstRelease`.
    """
    with engine.connect() as connection:
        check_server(connection)
        before = _revision(connection)
        _refuse_unknown(before)
        make_roles(connection)
        connection.commit()  # or the migration of another database on the server would wait for this one
        if before != revisions()[-1] or connection.execute(_OWNS_THE_LOG).scalar_one():
            _upgrade(connection)
            connection.commit()
            connection.execute(_NOTE_HEADS)
        connection.commit()
        return before, _revision(connection)


def check_cluster(engine: Engine) -> None:
    """Raise `NoCluster` unless tables can be distributed here."""
    with engine.connect() as connection:
        worker_nodes(connection)


def distribute(engine: Engine) -> list[str]:
    """Distribute the tables of a migrated database over the nodes of Citus; gives the nodes.

    A second time it changes nothing. Raises `NoCluster` where there are none.
    """
    with engine.connect() as connection:
        nodes = worker_nodes(connection)
        _upgrade(connection, distributes=True)
        connection.commit()
        return nodes


def check_migrated(connection: Connection) -> None:
    """Raise `DatabaseUnusable` unless the schema has this program's revision, as far as the user may read it."""
    check_server(connection)
    readable = connection.execute(
        text("select has_table_privilege(to_regclass('alembic_version')::oid, 'select')")
    ).scalar_one()
    if readable is False:
        return  # a login of another kind, or before the first migrate that lets the services ask
    revision = _revision(connection)
    _refuse_unknown(revision)
    if revision != revisions()[-1]:
        current = revision or "nothing"
        raise DatabaseUnusable(f"the database is not migrated (it is at {current}): run rosterlog migrate")


def revisions() -> list[str]:
    """Every revision of the schema, the oldest first: each is the name of its file."""
    names = (file.name for file in files("migrations").joinpath("versions").iterdir())
    return sorted(name.removesuffix(".py") for name in names if name.endswith(".py") and name != "__init__.py")


def _upgrade(connection: Connection, *, distributes: bool = False) -> None:
    # Imported here: every command looks at the revision, and only this one needs what takes half a second to load.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, makes_objects=True, distributes=distributes)
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    try:
        revision: str | None = connection.execute(_REVISION).scalar_one_or_none()
    except ProgrammingError:  # there is no such table, or it may not be read
        revision = None
    connection.rollback()
    return revision


def _refuse_unknown(revision: str | None) -> None:
    if revision is not None and _BEFORE_BASELINE.fullmatch(revision):
        raise BeforeFirstRelease(revision)
    if revision is not None and revision not in revisions():
        raise DatabaseUnusable(f"the database was migrated by a newer rosterlog (to {revision}): upgrade rosterlog")
