"""What a session of ours is like: its role, the settings that results depend on, and how long it may take.

Nothing is taken on trust from the server, the database or the login: a default of theirs would change what a statement
does, or end it. So every session sets what it needs when it begins.
"""

from dataclasses import dataclass

_MARGIN = 2.0  # seconds that the program waits longer than the server, whose error says more
_CONSTANT = {
    "search_path": "public",  # a schema with the name of the user or the role must not come before ours
    "client_encoding": "UTF8",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "gin_fuzzy_search_limit": "0",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "idle_session_timeout": "0",  # between two transactions a session may be idle for ever
    # The server looks whether the program is still there, so that what a vanished one has locked is free in seconds.
    "client_connection_check_interval": "1s",
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "2",
}


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


def session_commands(role: str | None, deadlines: Deadlines, *, read_only: bool = False) -> str:
    """The SQL that a new connection runs first: its settings and its role."""
    settings = {
        **_CONSTANT,
        "default_transaction_read_only": "on" if read_only else "off",
        "statement_timeout": _milliseconds(deadlines.statement),
        "lock_timeout": "0",  # the statement's deadline holds for its locks, too
        "idle_in_transaction_session_timeout": _milliseconds(deadlines.idle),
    }
    commands = [f"set {name} = '{value}'" for name, value in settings.items()]
    newer = {"transaction_timeout": _milliseconds(deadlines.transaction), "restrict_nonsystem_relation_kind": ""}
    commands += [
        f"select set_config(name, '{value}', false) from pg_settings where name = '{name}'"  # noqa: S608 - constants
        for name, value in newer.items()
    ]
    return "; ".join([*commands, *([f"set role {role}"] if role else [])])


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
