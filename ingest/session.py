"""What a session of ours is like: its role, the settings that results depend on, and how long it may take.

Nothing is taken on trust from the server, the database or the login: a default of theirs would change what a statement
does, or end it. So every session sets what it needs when it begins. Behind a pool that gives a server's session to
another client after each transaction, every transaction does so instead, and leaves nothing behind.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_MARGIN = 2.0  # seconds that the program waits longer than the server, whose error says more
_SEARCH_PATH = "public"  # a schema with the name of the user or the role must not come before ours
_CONSTANT = {
    "client_encoding": "UTF8",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "gin_fuzzy_search_limit": "0",
    # The server looks whether the program is still there, so that what a vanished one has locked is free in seconds.
    "client_connection_check_interval": "1s",
}
# Of no use in a single transaction: a pool has its own connections, and says itself how its transactions begin.
_OF_CONNECTION = {
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "idle_session_timeout": "0",  # between two transactions a session may be idle for ever
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "2",
}
_OF_SESSION = "coalesce((select {has_no_more} from pg_roles r where r.rolname = session_user), false)"
# `pg_settings` would list all settings each time, which takes longer than the rest.
_IS_KNOWN = "pg_catalog.current_setting({name}, true) is not null"
_IF_KNOWN = f"case when {_IS_KNOWN} then set_config({{name}}, {{value}}, {{is_local}}) end"
_KNOWN = f"array(select name from unnest(array[{{names}}]) name where {_IS_KNOWN.format(name='name')})"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a session may take, in seconds.

    `statement`: one statement, with its wait for locks. `idle`: the pause between two statements of a transaction.
    `transaction`: a whole transaction, on PostgreSQL 17 or newer; 0: as long as its statements and pauses.
    """

    statement: float
    idle: float
    transaction: float = 0

    @property
    def wait(self) -> float:
        """How long the program waits for an answer before it closes the connection."""
        return self.statement + _MARGIN


# A worker's lock on its checkpoint is released within seconds, even if the worker hangs or vanishes.
FOLDING = Deadlines(statement=5, idle=4, transaction=8)
SERVING = Deadlines(statement=15, idle=20)
EXPORTING = Deadlines(statement=900, idle=1000)  # a client may take as long to read what the query gives
COMMAND = Deadlines(statement=60, idle=60)
# For the work of hours on a large log, such as making an index, and while a person is asked a question.
LONG = Deadlines(statement=86_400, idle=86_400)


@dataclass(frozen=True, slots=True)
class Opened:
    """What the server said when a session began.

    `is_shared`: a pool is between, for another session has answered than the one that the connection was promised.
    `takes_role`: the login may do more than its role. `newer`: those of the newer settings that the server has.
    `is_standby`: it is a replica, which no transaction may ask to write.
    """

    is_shared: bool
    takes_role: bool
    newer: tuple[str, ...]
    is_standby: bool


def session_commands(
    role: str | None, deadlines: Deadlines, *, read_only: bool = False, backend_pid: int | None = None
) -> str:
    """The SQL that a new connection runs first: its settings and its role. The last row is that of `Opened`.

    `backend_pid`: of the session that the connection was promised. Another one that answers, which is a pool's, keeps
    nothing of it.
    """
    is_shared = "false" if backend_pid is None else f"pg_catalog.pg_backend_pid() operator(pg_catalog.<>) {backend_pid}"
    settings = {
        **_for_each(deadlines),
        **_OF_CONNECTION,
        "default_transaction_read_only": "on" if read_only else "off",
    }
    newer = _newer(deadlines)
    takes_role = "false" if role is None else f"not {_OF_SESSION.format(has_no_more=has_no_more(repr(role)))}"
    known = [_IF_KNOWN.format(name=repr(name), value=repr(value), is_local=is_shared) for name, value in newer.items()]
    of_role = "" if role is None else f"where not takes_role or set_config('role', '{role}', {is_shared}) is not null"
    opened = f"{is_shared}, takes_role, {_KNOWN.format(names=', '.join(map(repr, newer)))}, pg_is_in_recovery()"
    login = f"(select {takes_role} as takes_role offset 0) login"  # found out once, before the role is set
    selected = [
        f"pg_catalog.set_config('search_path', '{_SEARCH_PATH}', {is_shared})",
        _set(settings, is_shared),
        *known,
        f"{opened} from {login} {of_role}",
    ]
    return "; ".join(f"select {each}" for each in selected)


def transaction_commands(role: str | None, deadlines: Deadlines, opened: Opened) -> str:
    """The SQL that each transaction runs first where a pool gives it any session: what it sets ends with it.

    None of it reads anything, so that the transaction's snapshot is that of its own first statement.
    """
    newer = {name: value for name, value in _newer(deadlines).items() if name in opened.newer}
    of_role = {"role": role} if role is not None and opened.takes_role else {}
    settings = {"search_path": _SEARCH_PATH, **_for_each(deadlines), **newer, **of_role}
    return "; ".join(f"set local {name} = '{value}'" for name, value in settings.items())


def has_no_more(role: str) -> str:
    """The SQL that tells whether the login `r` may do what a role may, without taking it, and nothing else.

    `role`: the SQL of the role's name. `r`: a row of `pg_roles`. A superuser is in every role.
    """
    return f"""(
  r.rolname = {role} or (
    not (r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls)
    and pg_has_role(r.oid, to_regrole({role})::oid, 'usage')
    and not exists (select from pg_auth_members m where m.member = r.oid and m.roleid <> to_regrole({role}))
    and not exists (
      select from pg_shdepend d
      where d.refclassid = 'pg_authid'::regclass and d.refobjid = r.oid
        and (d.deptype = 'o' or (d.deptype = 'a' and d.classid <> 'pg_database'::regclass))
    )
  )
)"""  # noqa: S608 - `role` is ours


def _for_each(deadlines: Deadlines) -> dict[str, str]:
    """The settings that a transaction needs, whichever session it is in."""
    return {
        **_CONSTANT,
        "statement_timeout": _milliseconds(deadlines.statement),
        "lock_timeout": "0",  # the statement's deadline holds for its locks, too
        "idle_in_transaction_session_timeout": _milliseconds(deadlines.idle),
    }


def _newer(deadlines: Deadlines) -> dict[str, str]:
    """The settings that PostgreSQL 15 does not have."""
    return {"transaction_timeout": _milliseconds(deadlines.transaction), "restrict_nonsystem_relation_kind": ""}


def _set(settings: Mapping[str, str], is_local: str) -> str:
    return ", ".join(f"set_config('{name}', '{value}', {is_local})" for name, value in settings.items())


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
