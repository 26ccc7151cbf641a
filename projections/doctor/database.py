"""Checks the database itself: its version and encoding, its schema, its clock, and why it cannot be reached."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, text

from ingest.database import OLDEST_SERVER
from ingest.failures import Failure, WrongUsage
from ingest.migrate import check_migrated
from ingest.settings import Settings
from projections.doctor.finding import DoctorFinding, fail, ok, warn

CLOCK_SECONDS = 2.0  # by which the clocks of this machine and of the database may differ
_SERVER = text("""
select current_setting('server_version_num')::int, current_setting('server_version'),
  current_setting('server_encoding'), pg_is_in_recovery()
""")
# Parts of the driver's message, which has no SQLSTATE where there is no session yet.
_HINTS = (
    ("password authentication failed", "the password or the login of DATABASE_URL is not the server's: correct it"),
    ("no password supplied", "DATABASE_URL has no password: add it, or PGPASSWORD or a password file of libpq"),
    ("pg_hba.conf", "the server takes no such connection from this machine: allow it in its pg_hba.conf"),
    ("does not exist", "make the database or the role with that name, or correct DATABASE_URL"),
    ("too many", "the server takes no more connections: end some, or raise its max_connections"),
    ("remaining connection slots", "the server takes no more connections: end some, or raise its max_connections"),
    ("starting up", "the server starts, perhaps after a crash: wait, and look at its log"),
    ("shutting down", "the server stops: start it again"),
    ("not accepting connections", "the server recovers from a crash or follows another one: wait, look at its log"),
    ("No space left", "the database's disk is full: make room on it"),
    ("resolve", "the host of DATABASE_URL is not known here: correct its name, or the name server"),
    ("translate host name", "the host of DATABASE_URL is not known here: correct its name, or the name server"),
    ("certificate", "the server's certificate is not trusted: see sslmode and sslrootcert in DATABASE_URL"),
    ("SSL", "the server and DATABASE_URL do not agree on TLS: see sslmode in DATABASE_URL"),
    ("timeout", "nothing answers there: is the host right, does a firewall stand between, does the server hang?"),
    ("refused", "no server listens there: start PostgreSQL, or correct the host and port of DATABASE_URL"),
)


def unreachable(settings: Settings, why: str) -> DoctorFinding:
    """The finding that there is no session with the database. `why`: one line."""
    if settings.database_url is None:
        says, _, do = why.partition(": ")
        do = do or f"the server's log is {settings.data_dir / 'postgres' / 'postgres.log'}"
        return fail("database", f"the embedded database cannot be used: {says}", do)
    parameters = conninfo_to_dict(settings.database_url.get_secret_value())
    place = ", ".join(
        f"{name} {parameters[name]}" for name in ("host", "port", "dbname", "user") if parameters.get(name)
    )
    hint = next((hint for part, hint in _HINTS if part in why), "does it run, and is DATABASE_URL right?")
    return fail("database", f"it cannot be reached ({place or 'by the defaults of libpq'}): {why}", hint)


def check_server_kind(connection: Connection) -> Iterator[DoctorFinding]:
    """The version, the encoding, and whether it is a replica."""
    number, version, encoding, is_replica = connection.execute(_SERVER).one()
    if number < OLDEST_SERVER:
        yield fail("version", f"PostgreSQL {version} is too old", "move the data to PostgreSQL 15 or newer")
    else:
        yield ok("version", f"PostgreSQL {version}")
    if encoding != "UTF8":
        yield fail("encoding", f"text is stored as {encoding}", "make a database with encoding 'UTF8'")
    else:
        yield ok("encoding", "UTF8")
    if is_replica:
        yield fail("primary", "this is a replica, where nothing can be appended", "set DATABASE_URL to the primary")


def check_schema(connection: Connection) -> DoctorFinding:
    """Whether the schema is that of this program."""
    try:
        check_migrated(connection)
    except (Failure, WrongUsage) as error:
        says, _, do = str(error).rpartition(": ")
        return fail("migrated", f"{says}, so rights, log and roster were not looked at", do)
    return ok("migrated", "the schema is that of this program")


def check_replica(connection: Connection) -> DoctorFinding:
    """Whether the read API can ask the database of `READ_DATABASE_URL`."""
    try:
        check_migrated(connection)
    except (Failure, WrongUsage) as error:
        says, _, do = str(error).rpartition(": ")
        return fail("replica", f"READ_DATABASE_URL: {says}", f"{do}; or does this replica follow another database?")
    is_replica = connection.execute(text("select pg_is_in_recovery()")).scalar_one()
    kind = "a replica" if is_replica else "no replica, but a database that takes writes"
    return ok("replica", f"READ_DATABASE_URL answers; it is {kind}")


def check_clock(connection: Connection, now: Callable[[], datetime]) -> DoctorFinding:
    """How the clocks of this machine and of the database differ: both date what happens."""
    begun = time.monotonic()
    before = now()
    theirs: datetime = connection.execute(text("select clock_timestamp()")).scalar_one()
    taken = time.monotonic() - begun
    apart = (theirs - before).total_seconds() - taken / 2
    if abs(apart) - taken / 2 <= CLOCK_SECONDS:
        return ok("clock", f"this machine and the database differ by {abs(apart):.1f} s at most")
    side = "ahead of" if apart > 0 else "behind"
    return warn(
        "clock",
        f"the database's clock is {abs(apart):.0f} s {side} this machine's: times of deliveries, refusals and the end "
        "of tokens do not agree",
        "let both follow a time server (timedatectl)",
    )
