"""What an error of the database driver means: the data was refused, or the database is away or cannot be used."""

from dataclasses import dataclass

import psycopg
from psycopg import errors
from sqlalchemy.exc import DBAPIError

from ingest.failures import Failure
from ingest.server_message import server_message

DriverError = psycopg.Error | DBAPIError
DRIVER_ERRORS = (psycopg.Error, DBAPIError)

_READ_ONLY = "25006"
_SERIALIZATION_FAILURE = "40001"
# Functions of the server. One refuses a setting: of those that a transaction begins with, only this one so.
_REFUSES_SETTING = "call_bool_check_hook"
_REFUSES_STALE_PLAN = "RevalidateCachedQuery"  # the one that runs a prepared statement
# Of our own functions: the source is taken at another database; events do not follow what was copied before them; one
# has no body, and no erasure names it.
_ELSEWHERE, _DOES_NOT_FOLLOW, _LACKS_ERASURE = "RL001", "RL002", "RL003"
# SQLSTATE classes: bad values, broken constraints, limits of a row or an index, an exception raised in a trigger.
_BLAMES_THE_DATA = ("22", "23", "54", "P0")
# SQLSTATE classes: connection, no such database, password, resources, rights and objects that are missing.
_OF_THE_SERVER = ("08", "3D", "28", "53", "42")
# A session that was ended or is read-only. A statement or a transaction that took too long may be the data's fault.
_OF_THE_SESSION = ("57P01", "57P02", "57P03", _READ_ONLY)
# SQLSTATE classes: connection, shutdown, no such database, password, resources.
_AWAY = ("08", "57", "3D", "28", "53")


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about the database in use: if it is `away`, if it `stops`, if its disk is `full`. No password."""

    away: str = "is DATABASE_URL right and does it run?"
    stops: str = "try again"
    full: str = "make room on it, nothing else is needed"


# What is said of a connection that was refused comes without an SQLSTATE: the first of these texts that it has decides,
# since a certificate may "not exist" as well. Of a server with messages in another language `Advice.away` is said.
_REFUSED = {
    "starting up": "it starts: try again in a moment",
    "shutting down": "it stops: try again when it runs again",
    "authentication failed": "are the user and the password right?",
    "certificate": "its certificate is not trusted: see sslmode and sslrootcert",
    "does not exist": "make it, or name another",
    "pg_hba.conf": "its pg_hba.conf allows no such connection from this machine",
    "too many clients": "it takes no more connections: end other programs, or raise max_connections",
    "remaining connection slots": "it takes no more connections: end other programs, or raise max_connections",
    "session is read-only": "none of its hosts takes writes: if a failover is under way, try again in a moment",
    "resolve host": "its host is not known here: correct the name, or look at the name server",
}
_ENDED: dict[type[psycopg.Error], str] = {
    errors.QueryCanceled: "a statement was ended before it was done: try again when there is less going on",
    errors.IdleInTransactionSessionTimeout: "this program was held up in a transaction and its session was ended: try "
    "again when the machine is less busy",
    errors.TransactionTimeout: "a transaction took too long and was ended: try again when there is less going on",
    errors.AdminShutdown: "an administrator ended the session, or the database stops: {advice.stops}",
    errors.DiskFull: "the database's disk is full: {advice.full}",
    errors.TooManyConnections: "the database takes no more connections: raise max_connections, or end other programs",
}


_WRITES_NOTHING = {"53100": "the database's disk is full", _READ_ONLY: "the database is read-only"}


class DatabaseUnusable(Failure):
    """The database cannot be used as it is; the message is one line, holds no password and says what to do."""


def sqlstate(error: Exception) -> str | None:
    """The SQLSTATE, five characters; None where the error did not come from the server."""
    cause = _cause(error)
    state: str | None = getattr(cause, "sqlstate", None)
    # A primary that became a standby refuses already the begin of a transaction that is to write, with the SQLSTATE of
    # what it does not support. Its words may be of any language.
    is_read_only = isinstance(cause, errors.FeatureNotSupported) and cause.diag.source_function == _REFUSES_SETTING
    return _READ_ONLY if is_read_only else state


def error_fields(error: Exception) -> dict[str, object]:
    """What a log says of an error: its type, its SQLSTATE, and the server's or the connection's own words."""
    cause = _cause(error)
    is_lost = isinstance(cause, psycopg.OperationalError) and cause.sqlstate is None
    message = _first_line(cause) if is_lost else server_message(cause)
    return {"error": type(cause).__name__, "sqlstate": sqlstate(error), "message": message}


def blames_the_data(error: DriverError) -> bool:
    """Whether the database refused these values. After any other error it would refuse all values, or is away."""
    state = sqlstate(error)
    if state is None:
        return isinstance(_cause(error), psycopg.DataError)
    return state[:2] in _BLAMES_THE_DATA


def is_recovery_conflict(error: Exception) -> bool:
    """Whether a replica ended the statement or the session, to go on following its primary: worth another try.

    What is only read has this SQLSTATE for no other reason.
    """
    return sqlstate(error) == _SERIALIZATION_FAILURE


def has_stale_plan(error: Exception) -> bool:
    """Whether a session had prepared the statement before a migration changed its columns: worth another try.

    With the transaction it forgets what it has prepared.
    """
    cause = _cause(error)
    return isinstance(cause, errors.FeatureNotSupported) and cause.diag.source_function == _REFUSES_STALE_PLAN


def is_away(error: DriverError) -> bool:
    """Whether the database could not be reached, or ended the session."""
    state = sqlstate(error)
    return isinstance(_cause(error), psycopg.OperationalError) and (state is None or state[:2] in _AWAY)


def fails_with_any_data(error: Exception) -> bool:
    """Whether what failed has nothing to do with the data: the connection, the server, its resources, its rights."""
    state = sqlstate(error)
    if state is None:
        return isinstance(_cause(error), psycopg.OperationalError)
    return state[:2] in _OF_THE_SERVER or state in _OF_THE_SESSION


def why_unwritable(error: Exception) -> str | None:
    """Why the server writes nothing at all: its disk is full, or it is read-only; None for any other error."""
    return _WRITES_NOTHING.get(sqlstate(error) or "")


def takes_no_writes(error: BaseException) -> bool:
    """Whether the server takes no writes, as a primary that became a standby."""
    return isinstance(error, Exception) and sqlstate(error) == _READ_ONLY


def is_blocked(error: DriverError) -> bool:
    """Whether a lock could not be had in time, or two transactions waited for each other: worth another try."""
    return isinstance(_cause(error), errors.LockNotAvailable | errors.DeadlockDetected)


def is_elsewhere(error: DriverError) -> bool:
    """Whether the source's deliveries are taken at another database, so that nothing was done here."""
    return sqlstate(error) == _ELSEWHERE


def lacks_erasure(error: DriverError) -> bool:
    """Whether an event that was to be copied has no body, and the database does not know of an erasure of it."""
    return sqlstate(error) == _LACKS_ERASURE


def is_cancelled(error: DriverError) -> bool:
    """Whether a statement took longer than its time-out."""
    return isinstance(_cause(error), errors.QueryCanceled)


def dependents(error: DriverError) -> str | None:
    """What depends on the object that was to be dropped, as PostgreSQL lists it; None for any other error."""
    cause = _cause(error)
    return cause.diag.message_detail if isinstance(cause, errors.DependentObjectsStillExist) else None


def constraint(error: DriverError) -> str | None:
    """The name of the constraint or unique index that refused a row; None for any other error."""
    cause = _cause(error)
    return cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None


def unusable(error: DriverError, advice: Advice | None = None) -> DatabaseUnusable:
    """The exception that tells a person about an error of the driver. Its message holds no value of a statement.

    `advice`: about the database in use, where that is known.
    """
    advice = advice or Advice()
    cause = _cause(error)
    if isinstance(cause, errors.UndefinedTable | errors.UndefinedFunction | errors.UndefinedColumn):
        return DatabaseUnusable("the database is not migrated: run rosterlog migrate")
    if isinstance(cause, errors.InvalidParameterValue) and "role" in str(cause):
        return DatabaseUnusable("the database is not migrated, its roles are missing: run rosterlog migrate")
    if sqlstate(error) in (_ELSEWHERE, _DOES_NOT_FOLLOW, _LACKS_ERASURE):  # in our own words
        return DatabaseUnusable(_first_line(cause))
    if isinstance(cause, errors.InsufficientPrivilege):
        return DatabaseUnusable(f"the database user may not do this: {_first_line(cause)}")
    if takes_no_writes(error):
        return DatabaseUnusable("the database is read-only, perhaps a replica: set DATABASE_URL to the primary")
    if isinstance(cause, errors.LockNotAvailable):
        return DatabaseUnusable("another session holds what this needs: try again when there is less going on")
    for kind, meaning in _ENDED.items():
        if isinstance(cause, kind):
            return DatabaseUnusable(f"{meaning.format(advice=advice)} ({_first_line(cause)})")
    if is_away(error):
        why = _first_line(cause)
        what_to_do = next((meaning for said, meaning in _REFUSED.items() if said in why), advice.away)
        return DatabaseUnusable(f"the database is away: {why}; {what_to_do}")
    what = f"{type(cause).__name__}, {sqlstate(error)}"
    return DatabaseUnusable(f"the database refused a statement ({what}): its log says more")


def _first_line(error: BaseException) -> str:
    # libpq's messages name host, port, user and database, never the password.
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _cause(error: Exception) -> BaseException:
    return (error.orig or error) if isinstance(error, DBAPIError) else error
