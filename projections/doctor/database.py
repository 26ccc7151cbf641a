"""Checks the database itself: its version and encoding, its schema, its clock, and why it cannot be reached."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, text

from ingest.database import OLDEST_SERVER, driver_connection
from ingest.driver import is_shared
from ingest.failures import Failure, WrongUsage
from ingest.hosts import names_several
from ingest.migrate import check_migrated
from ingest.shared_sessions import DIRECT
from projections.doctor.finding import DoctorFinding, fail, ok, warn

CLOCK_SECONDS = 2.0  # by which the clocks of this machine and of the database may differ
_OF_PRIMARY = ("read-write", "primary")
_SERVER = text("""
select current_setting('server_version_num')::int, current_setting('server_version'),
  current_setting('server_encoding'), pg_is_in_recovery()
""")


def unreachable(check: str, error: Failure) -> DoctorFinding:
    """The finding that there is no session with a database. The message of `error` ends with what to do."""
    message = str(error)
    says, _, do = message.rpartition("; ") if "; " in message else message.partition(": ")
    return fail(check, says, do)


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


def check_pool(connection: Connection, *, has_direct: bool) -> DoctorFinding:
    """Whether a pool of connections is between, through which not everything can be done."""
    if not is_shared(driver_connection(connection)):
        return ok("pool", "none is between: the sessions are this program's own")
    says = "a pool of connections is between: ingest, worker and api need no session of their own"
    if has_direct:
        return ok("pool", f"{says}; what does goes to {DIRECT}")
    return warn(
        "pool",
        f"{says}, but migrate, rebuild, erase and verify do",
        f"set {DIRECT} to the address of the PostgreSQL server itself",
    )


def check_hosts(conninfo: str) -> Iterator[DoctorFinding]:
    """Whether an address with several hosts leads to the one that takes writes."""
    if names_several(conninfo) and conninfo_to_dict(conninfo).get("target_session_attrs") not in _OF_PRIMARY:
        yield warn(
            "hosts",
            "DATABASE_URL names several hosts and takes the first that answers, also a standby, where nothing can be "
            "appended",
            "add target_session_attrs=read-write to it",
        )


def check_schema(connection: Connection) -> DoctorFinding:
    """Whether the schema is that of this program."""
    try:
        check_migrated(connection)
    except (Failure, WrongUsage) as error:
        says, _, do = str(error).rpartition(": ")
        return fail("migrated", f"{says}, so rights, upkeep, log and roster were not looked at", do)
    return ok("migrated", "the schema is that of this program")


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
