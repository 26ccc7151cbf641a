"""The driver's connections, with a deadline for every wait: one whose answer does not come in time is closed.

A database that was cut off may never say so: a proxy before it goes on acknowledging what it is sent. So the time-outs
of the server, which `session` sets, are not enough.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

RV = TypeVar("RV")
_INTERVAL = 0.1  # seconds between two looks of the driver whether the caller was interrupted

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

    def _get_tx_start_command(self) -> bytes:
        return _begin(super()._get_tx_start_command(), self.each_transaction)

    def wait(self, gen: PQGen[RV], interval: float = _INTERVAL, timeout: float | None = None) -> RV:
        try:
            return super().wait(gen, interval, _seconds(self.wait_seconds) if timeout is None else timeout)
        except psycopg.OperationalError as error:
            raise _closed(self, error) from None


class AsyncConnection(psycopg.AsyncConnection[Any]):
    """`wait_seconds`, `each_transaction`: as above."""

    wait_seconds: float = 60.0
    each_transaction: bytes = b""
    _answered_at: float = -math.inf

    async def wait(self, gen: PQGen[RV], interval: float = _INTERVAL, timeout: float | None = None) -> RV:  # noqa: ASYNC109 - the driver's own parameter
        try:
            result = await super().wait(gen, interval, _seconds(self.wait_seconds) if timeout is None else timeout)
        except psycopg.OperationalError as error:
            raise _closed(self, error) from None
        self._answered_at = time.monotonic()
        return result

    def _get_tx_start_command(self) -> bytes:
        return _begin(super()._get_tx_start_command(), self.each_transaction)

    def answered_lately(self, seconds: float) -> bool:
        """Whether it has answered in the last so many seconds, and no other connection of this process failed since."""
        return self._answered_at > max(_failed_at, time.monotonic() - seconds)


def _begin(command: bytes, each_transaction: bytes) -> bytes:
    """The driver's own command, with more of ours behind it: both go to the server as one message."""
    return b"%b; %b" % (command, each_transaction) if each_transaction else command


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
