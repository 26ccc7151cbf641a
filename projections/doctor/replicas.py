"""The replicas of `READ_DATABASE_URL`: whether each can be read, and whether it follows the database in use."""

import time

from sqlalchemy import Connection, text

from ingest.failures import Failure, WrongUsage
from ingest.migrate import check_migrated
from projections.doctor.finding import DoctorFinding, fail, ok, warn

_FOLLOWS_SECONDS = 5.0  # in which a replica is to get where the primary was
_LOOK_SECONDS = 0.1
_WRITTEN = text("select (select system_identifier from pg_control_system()), pg_current_wal_flush_lsn()::text")
_REPLAYED = text("select pg_last_wal_replay_lsn() >= cast(:position as pg_lsn)")
_OF_REPLICA = text("""
select pg_is_in_recovery(), (select system_identifier from pg_control_system()),
  pg_is_in_recovery() and pg_get_wal_replay_pause_state() <> 'not paused',
  date_trunc('second', pg_last_xact_replay_timestamp())::text
""")

Written = tuple[int, str]
"""Where a primary is: its system, and the position of its write-ahead log."""


def written_by(connection: Connection) -> Written | None:
    """Where the primary is now; None if this is a replica itself."""
    if connection.execute(text("select pg_is_in_recovery()")).scalar_one():
        return None
    system, position = connection.execute(_WRITTEN).one()
    return system, position


def check_replica(connection: Connection, name: str, written: Written | None) -> DoctorFinding:
    """Whether the API can read from a host of `READ_DATABASE_URL`, and whether it gets where the primary was."""
    try:
        check_migrated(connection)
    except (Failure, WrongUsage) as error:
        says, _, do = str(error).rpartition(": ")
        return fail("replica", f"{name}: {says}", f"{do}; or does this replica follow another database?")
    is_replica, system, is_paused, newest = connection.execute(_OF_REPLICA).one()
    if not is_replica:
        return ok("replica", f"{name} answers; it is no replica, but a database that takes writes")
    if written is None:
        return ok("replica", f"{name} answers; it is a replica, and was not compared with its primary")
    if system != written[0]:
        return fail("replica", f"{name} is a replica, but not of this database's server", "name one that follows it")
    begun = time.monotonic()
    if _gets_there(connection, written[1]):
        return ok("replica", f"{name} answers; it is a replica, {time.monotonic() - begun:.1f} s behind at most")
    why = "its replay is paused" if is_paused else f"its newest transaction is of {newest}"
    return warn(
        "replica",
        f"{name} answers, but in {_FOLLOWS_SECONDS:.0f} s it has not got where the primary was: {why}",
        "look on it at select pg_is_wal_replay_paused() and at pg_stat_wal_receiver, which is empty if nothing comes",
    )


def _gets_there(connection: Connection, position: str) -> bool:
    give_up = time.monotonic() + _FOLLOWS_SECONDS
    while not connection.execute(_REPLAYED, {"position": position}).scalar_one():
        if time.monotonic() > give_up:
            return False
        connection.rollback()
        time.sleep(_LOOK_SECONDS)
    return True
