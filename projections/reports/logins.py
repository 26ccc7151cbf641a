"""Logins for people and tools that ask in SQL: makes them, and grants them to read `reporting` with or without PII."""

import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import DependentObjectsStillExist

from ingest.database import REPORTING_PII_ROLE, REPORTING_ROLE, ROLES

LONGEST_LOGIN = 63  # bytes; PostgreSQL cuts what is longer
_WORDS = ("public", "none", "current_user", "session_user", "current_role", "user")
# `work_mem`: the reports are measured with it. An open transaction keeps old builds from being dropped.
_SETTINGS = {"statement_timeout": "60s", "idle_in_transaction_session_timeout": "10min", "work_mem": "64MB"}
_READERS = [REPORTING_ROLE, REPORTING_PII_ROLE]
_MADE_HERE = "a login for reporting, made by rosterlog"
# Roles that may do more than read reports. A superuser counts as a member of each.
_POWERFUL_ROLES = (
    "pg_read_all_data", "pg_write_all_data", "pg_read_server_files", "pg_write_server_files",
    "pg_execute_server_program", "pg_database_owner",
    *(role for role in ROLES if role not in (REPORTING_ROLE, REPORTING_PII_ROLE)),
)  # fmt: skip
_LOGIN = """
select
  r.rolcanlogin,
  r.rolcreaterole or r.rolreplication or r.rolbypassrls
    or exists (
      select from unnest(%s::text[]) as powerful (role)
      where pg_has_role(r.oid, to_regrole(powerful.role)::oid, 'member')
    )
    or exists (
      select from pg_class c
      where c.relnamespace = 'public'::regnamespace
        and c.relkind in ('r', 'p', 'v')
        and c.relname <> 'published_participants'
        and c.relowner = (select log.relowner from pg_class log where log.oid = 'public.event_log'::regclass)
        and (
          has_any_column_privilege(r.oid, c.oid, 'select, insert, update')
          or has_table_privilege(r.oid, c.oid, 'delete, truncate')
        )
    )
from pg_roles r
where r.rolname = %s
"""

# Whether the login was made here, and whether it has one of the roles itself.
_READS = """
select
  coalesce(shobj_description(r.oid, 'pg_authid') = %(made_here)s, false),
  exists (
    select from pg_auth_members m where m.member = r.oid and m.roleid = any (%(roles)s::text[]::regrole[]::oid[])
  )
from pg_roles r
where r.rolname = %(user)s
"""


class LoginRefused(Exception):
    """This name cannot be a login for reporting; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A login's connection URL, with the password only if the login is new."""

    url: str
    is_new: bool


def check_name(user: str) -> None:
    """Raise `LoginRefused` for a name that is empty, too long, or reserved by PostgreSQL or rosterlog."""
    if not user.strip() or "\x00" in user:
        raise LoginRefused("a login needs a name")
    if len(user.encode()) > LONGEST_LOGIN:
        raise LoginRefused(f"a name has at most {LONGEST_LOGIN} bytes: choose a shorter one")
    lowered = user.lower()
    if lowered.startswith(("pg_", "rosterlog_")) or lowered in (*_WORDS, "rosterlog"):
        raise LoginRefused(f"the name {user} is reserved: choose another")


def grant(connection: psycopg.Connection[Any], user: str, *, sees_personal_data: bool) -> Granted:
    """Let a login, whose name has passed `check_name`, read the schema `reporting`; make the login if it is not there.

    A login that is there keeps its password. Without `sees_personal_data` a right to see personal data is revoked.
    Raises `LoginRefused`.
    """
    password = None if _exists(connection, user) else _make(connection, user)
    name = sql.Identifier(user)
    granted, revoked = REPORTING_ROLE, REPORTING_PII_ROLE
    if sees_personal_data:
        granted, revoked = revoked, granted
    for command in (
        sql.SQL("grant {} to {}").format(sql.Identifier(granted), name),
        sql.SQL("revoke {} from {}").format(sql.Identifier(revoked), name),
        *(sql.SQL("alter role {} set {} = {}").format(name, sql.SQL(key), value) for key, value in _SETTINGS.items()),
    ):
        connection.execute(command)
    if not _may(connection, "has_schema_privilege(%s::name, 'reporting', 'usage')", user):
        raise LoginRefused(f"{user} does not inherit what its roles may do: alter role ... inherit, and run this again")
    if not _may(connection, "has_database_privilege(%s::name, current_database(), 'connect')", user):
        raise LoginRefused(f"{user} may not connect to this database: grant that first")
    if not sees_personal_data and _may(connection, f"pg_has_role(%s::name, '{REPORTING_PII_ROLE}', 'member')", user):
        raise LoginRefused(
            f"{user} has {REPORTING_PII_ROLE} from somebody else, who alone can revoke it: nothing was changed"
        )
    return Granted(_url(connection, user, password), password is not None)


def withdraw(connection: psycopg.Connection[Any], user: str) -> bool:
    """Take back what `grant` gave; whether the login is dropped: one that `grant` made, unless it owns something.

    It holds for each database of the server, as roles do. Raises `LoginRefused` if there is nothing to take back.
    """
    row = connection.execute(_READS, {"user": user, "roles": _READERS, "made_here": _MADE_HERE}).fetchone()
    if row is None:
        raise LoginRefused(f"there is no login {user}")
    was_made_here, is_member = row
    if not is_member:
        raise LoginRefused(f"{user} was not granted to read the schema reporting: nothing was changed")
    name = sql.Identifier(user)
    for role in _READERS:
        connection.execute(sql.SQL("revoke {} from {}").format(sql.Identifier(role), name))
        if _may(connection, f"pg_has_role(%s::name, '{role}', 'member')", user):
            raise LoginRefused(f"{user} has {role} from somebody else, who alone can revoke it: nothing was changed")
    if not was_made_here:
        for key in _SETTINGS:
            connection.execute(sql.SQL("alter role {} reset {}").format(name, sql.SQL(key)))
        return False
    try:
        with connection.transaction():
            connection.execute(sql.SQL("drop role {}").format(name))
    except DependentObjectsStillExist:
        return False
    return True


def _exists(connection: psycopg.Connection[Any], user: str) -> bool:
    row = connection.execute(_LOGIN, [list(_POWERFUL_ROLES), user]).fetchone()
    if row is None:
        return False
    can_log_in, can_do_more = row
    if can_do_more:
        raise LoginRefused(f"{user} may do more in this database than read reports already: choose another name")
    if not can_log_in:
        raise LoginRefused(f"{user} is a group, as which nobody can log in: choose another name")
    return True


def _make(connection: psycopg.Connection[Any], user: str) -> str:
    password = secrets.token_urlsafe(24)
    # Sent as the SCRAM verifier that PostgreSQL stores: a password in the statement could get into the server's log.
    verifier = connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()
    name = sql.Identifier(user)
    connection.execute(sql.SQL("create role {} login password {}").format(name, verifier))
    connection.execute(sql.SQL("comment on role {} is {}").format(name, _MADE_HERE))
    connection.execute(sql.SQL("alter role {} set search_path = reporting").format(name))
    return password


def _may(connection: psycopg.Connection[Any], condition: str, user: str) -> bool:
    row = connection.execute(f"select {condition}".encode(), [user]).fetchone()
    return row is not None and bool(row[0])


def _url(connection: psycopg.Connection[Any], user: str, password: str | None) -> str:
    """A URL for any tool: with a TCP address if the server has one, since many tools know no Unix sockets."""
    info = connection.info
    parameters = conninfo_to_dict(info.dsn)
    options = {name: str(value) for name, value in parameters.items() if name in ("sslmode", "sslrootcert")}
    host = info.host
    if host.startswith("/"):
        [listens] = connection.execute("select current_setting('listen_addresses')").fetchone() or [""]
        options |= {} if listens else {"host": host}
        host = "127.0.0.1" if listens else ""
    address = f"[{host}]" if ":" in host else host
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    query = f"?{urlencode(options)}" if options else ""
    return f"postgresql://{login}@{address}:{info.port}/{quote(info.dbname, safe='')}{query}"
