"""The driver's connections, with a deadline for every wait: one whose answer does not come in time is closed.

A database that was cut off may never say so: a proxy before it goes on acknowledging what it is sent. So the time-outs
of the server, which `session` sets, are not enough.
"""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen, QueryNoTemplate
from psycopg.errors import error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

RV = TypeVar("RV")
_MOST_PREPARED = 20  # statements of a session: with its plan, one of many columns takes 600 kB of the server
_INTERVAL = 0.1  # seconds between two looks of the driver whether the caller was interrupted

# The function of the server whose notices say that a wait was ended, of a transaction that is answered as done.
_WAITS_FOR_STANDBY = "SyncRepWaitForLSN"

# The moment, by the monotonic clock, until which what is done now has to be answered; None: as its connection says.
_until: ContextVar[float | None] = ContextVar("until", default=None)


class NoAnswer(psycopg.OperationalError):
    """The database has not answered in time, and the connection was closed. Whether it did its work is not known."""


@contextmanager
def answered_within(seconds: float) -> Iterator[None]:
    """Let no wait on any connection last longer than until so many seconds from now."""
    before = _until.get()
    until = time.monotonic() + seconds
    token = _until.set(until if before is None else min(until, before))
    try:
        yield
    finally:
        _until.reset(token)


_failed_at = -math.inf  # by the monotonic clock, when a connection failed last


class SyncConnection(psycopg.Connection[Any]):
    """`wait_seconds`: how long one wait may last. `each_transaction`: the SQL that every transaction begins with, if
    the connection is a pool's; otherwise empty.
    """

    wait_seconds: float = 60.0
    each_transaction: bytes = b""

    def _exec_command(self, command: QueryNoTemplate, result_format: Format = Format.TEXT) -> PQGen[PGresult | None]:
        if self.each_transaction and command == (begin := self._get_tx_start_command()):
            self._check_connection_ok()
            return _begin(self.pgconn, b"%b; %b" % (begin, self.each_transaction))
        return super()._exec_command(command, result_format)

    def wait(self, gen: PQGen[RV], interval: float = _INTERVAL, timeout: float | None = None) -> RV:
        try:
            return super().wait(gen, interval, _seconds(self.wait_seconds) if timeout is None else timeout)
        except psycopg.OperationalError as error:
            raise _closed(self, error) from None


class CommitNotWaitedFor(psycopg.OperationalError):
    """The transaction is committed on the server alone: somebody ended the wait for its standby."""


class AsyncConnection(psycopg.AsyncConnection[Any]):
    """`wait_seconds`, `each_transaction`: as above. `is_unwaited`: a commit was answered before the standby had it."""

    wait_seconds: float = 60.0
    each_transaction: bytes = b""
    is_unwaited: bool = False
    _keeps_prepared: bool = False
    _answered_at: float = -math.inf

    def note_unwaited(self, notice: psycopg.errors.Diagnostic) -> None:
        """Hear what the server says beside its answers."""
        if notice.source_function == _WAITS_FOR_STANDBY:
            self.is_unwaited = True

    async def wait(self, gen: PQGen[RV], interval: float = _INTERVAL, timeout: float | None = None) -> RV:  # noqa: ASYNC109 - the driver's own parameter
        try:
            result = await super().wait(gen, interval, _seconds(self.wait_seconds) if timeout is None else timeout)
        except psycopg.OperationalError as error:
            raise _closed(self, error) from None
        self._answered_at = time.monotonic()
        return result

    def _exec_command(self, command: QueryNoTemplate, result_format: Format = Format.TEXT) -> PQGen[PGresult | None]:
        if self.each_transaction and command == (begin := self._get_tx_start_command()):
            self._check_connection_ok()
            return _begin(self.pgconn, b"%b; %b" % (begin, self.each_transaction))
        return super()._exec_command(command, result_format)

    def keep_what_is_prepared(self) -> None:
        """Keep what is prepared where a transaction is given up, if nothing is written over this connection.

        No statement is prepared because it comes often: its plan would be one for all values; races differ in size.
        """
        if self.prepare_threshold is not None:  # it may be asked to
            self.prepare_threshold = sys.maxsize
        self.prepared_max = _MOST_PREPARED
        self._keeps_prepared = True

    async def rollback(self) -> None:
        """At a rollback the driver forgets what is prepared, so what only read is committed.

        Where a statement failed it has to forget: what a migration has changed fails until it is prepared anew.
        """
        if self._keeps_prepared and self.info.transaction_status != TransactionStatus.INERROR:
            await self.commit()
        else:
            await super().rollback()

    def answered_lately(self, seconds: float) -> bool:
        """Whether it has answered in the last so many seconds, and no other connection of this process failed since."""
        return self._answered_at > max(_failed_at, time.monotonic() - seconds)


def is_shared(connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> bool:
    """Whether the connection is a pool's, which gives each transaction the session that is free then."""
    return bool(getattr(connection, "each_transaction", b""))  # a connection of the driver's own class has none


async def limit_locks(connection: psycopg.AsyncConnection[Any], seconds: float) -> None:
    """Let no statement from now on wait longer for another session's lock."""
    limit = b"lock_timeout = %d" % round(seconds * 1000)
    if isinstance(connection, AsyncConnection) and connection.each_transaction:
        connection.each_transaction += b"; set local %b" % limit
    else:
        await connection.execute(b"set %b" % limit)


def _begin(pgconn: PGconn, commands: bytes) -> PQGen[PGresult | None]:
    """Begin a transaction with more commands than one, which go to the server as one message."""
    pgconn.send_query(commands)
    results: list[PGresult] = yield from execute(pgconn)
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result, encoding="utf-8")
    return results[-1]


def _seconds(most: float) -> float:
    until = _until.get()
    return most if until is None else min(most, until - time.monotonic())


def _closed(connection: SyncConnection | AsyncConnection, error: psycopg.OperationalError) -> psycopg.OperationalError:
    """The error to raise. Without an SQLSTATE it did not come from the server, so the connection is of no use."""
    global _failed_at
    if error.sqlstate is not None and not connection.closed:
        return error
    _failed_at = time.monotonic()
    if connection.closed:
        return error
    connection.pgconn.finish()
    return NoAnswer("the database has not answered in time")
