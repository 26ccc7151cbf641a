"""The few connections that a server keeps for appending, and whether they can append."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from ingest.driver import AsyncConnection, CommitNotWaitedFor, NoAnswer, answered_within, is_shared, limit_locks
from ingest.log.append import Connection, can_append
from ingest.sqlstate import blames_the_data, is_blocked, is_cancelled, is_elsewhere
from ingest.standbys import unwaited

T = TypeVar("T")
Connect = Callable[[], Awaitable[Connection]]
Work = Callable[[Connection], Awaitable[T]]

_PROBE_SECONDS = 1.0  # between two checks whether an append would succeed
_PROBE_TIMEOUT = 1.5  # seconds
_LOCK_SECONDS = 0.5  # to wait for another session's lock, on a connection that others want, too
_LOCK_PART, _PATIENT_PART = 0.1, 0.5  # of a use's time: for such a lock at most; for one when nobody else is held up
_NEXT_TRY_SECONDS = 1.0  # a try to connect that takes longer is joined by another one: its way may be cut off for ever


class Connections:
    """A pool of at most `most` connections. Each serves one caller at a time and is kept open for the next.

    Beside them there are as many for those that other sessions' locks hold up: however many these are, and however long
    they wait, the others find a connection within half a second.

    `seconds`: how long one use may last. A connection that failed, for whatever reason but the data or a lock, is
    closed, and so are those that wait for their next use: what made it fail has probably happened to them as well. A
    statement that took too long says nothing about them.
    """

    def __init__(self, connect: Connect, seconds: float, most: int = 4) -> None:
        self._connect = connect
        self._seconds = seconds
        self._lock_seconds = min(_LOCK_SECONDS, _LOCK_PART * seconds)
        self.most = most
        self._slots = asyncio.Semaphore(most)
        self._patient_slots = asyncio.Semaphore(most)
        self._idle: list[Connection] = []
        self._probing = asyncio.Lock()
        self._probed_at = -_PROBE_SECONDS
        self._ready = False
        self.remark: str | None = None  # what the last look found to say, though nothing hinders an append

    async def use(self, work: Work[T]) -> T:
        """Run `work` on an idle connection; on a new one if there is none, or if that one could not be used any more.

        Raises `psycopg.Error`: `LockNotAvailable` if another session holds a lock for longer than half a second,
        `OperationalError` if no connection could be made.
        """
        async with self._slots:
            with answered_within(self._seconds):
                if self._idle:
                    try:
                        return await self._work(self._idle.pop(), work)
                    except psycopg.Error as error:
                        if _is_answer(error) or _took_long(error):
                            raise
                return await self._work(await self._open(self._lock_seconds), work)

    async def use_patiently(self, work: Work[T]) -> T:
        """Run `work`, which other sessions' locks may hold up for long, on a connection of its own. Raises as `use`."""
        async with self._patient_slots:
            with answered_within(self._seconds):
                connection = await self._open(self._seconds * _PATIENT_PART)
                try:
                    return await _done(connection, work)
                finally:
                    await connection.close()

    async def is_ready(self) -> bool:
        """Whether an append would succeed now. Checked at most once a second, however often this is called."""
        async with self._probing:
            now = asyncio.get_running_loop().time()
            if now >= self._probed_at + _PROBE_SECONDS:
                self._ready, self.remark = await self._probe()
                self._probed_at = asyncio.get_running_loop().time()
            return self._ready

    async def close(self) -> None:
        """Close the idle connections."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    async def _probe(self) -> tuple[bool, str | None]:
        try:
            with answered_within(_PROBE_TIMEOUT):
                async with asyncio.timeout(2 * _PROBE_TIMEOUT):  # with the wait for its turn
                    return await self.use(_looked_at)
        except (psycopg.Error, TimeoutError):
            return False, None

    async def _work(self, connection: Connection, work: Work[T]) -> T:
        """Run `work`, and keep the connection if it can be used again."""
        is_sound, others_too = True, False
        try:
            return await _done(connection, work)
        except psycopg.Error as error:
            is_sound = _is_answer(error)
            others_too = not is_sound and not is_cancelled(error)
            raise
        finally:
            if is_sound and not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE:
                self._idle.append(connection)
            else:
                await connection.close()
            if others_too:
                await self.close()

    async def _open(self, lock_seconds: float) -> Connection:
        """A new connection: the first that is made of tries which begin a second after each other.

        Raises `psycopg.OperationalError`.
        """
        tries: set[asyncio.Future[Connection]] = set()
        give_up = asyncio.get_running_loop().time() + self._seconds
        try:
            while asyncio.get_running_loop().time() < give_up:
                tries.add(asyncio.ensure_future(self._try(lock_seconds)))
                done, _ = await asyncio.wait(tries, timeout=_NEXT_TRY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    made = done.pop()
                    tries.discard(made)
                    return made.result()
        except psycopg.Error as error:  # whatever its SQLSTATE: no delivery caused it
            raise psycopg.OperationalError("no connection") from error
        finally:
            for late in tries:
                late.add_done_callback(_discard)
                late.cancel()
        raise psycopg.OperationalError("no connection")

    async def _try(self, lock_seconds: float) -> Connection:
        connection = await self._connect()
        try:
            await limit_locks(connection, lock_seconds)
        except BaseException:
            await connection.close()
            raise
        return connection


async def _done(connection: Connection, work: Work[T]) -> T:
    """What `work` gives, once it is committed: here, and where commits are to wait for a standby, there as well.

    Raises `CommitNotWaitedFor`; done again, it is committed behind what was not waited for, and waits for both.
    """
    if is_shared(connection):  # a pool's: of it, a transaction alone has a session of its own
        async with connection.transaction():
            given = await work(connection)
    else:
        given = await work(connection)
    if isinstance(connection, AsyncConnection) and connection.is_unwaited:
        raise CommitNotWaitedFor("the commit was not waited for: it is not known to be on the standby")
    return given


async def _looked_at(connection: Connection) -> tuple[bool, str | None]:
    """Whether an append would succeed, and what there is to say if so."""
    can = await can_append(connection)
    return can, await unwaited(connection) if can else None


def _is_answer(error: psycopg.Error) -> bool:
    """Whether the session is sound, and another one would say the same."""
    return blames_the_data(error) or is_elsewhere(error) or is_blocked(error)


def _took_long(error: psycopg.Error) -> bool:
    return is_cancelled(error) or isinstance(error, NoAnswer)


def _discard(late: asyncio.Future[Connection]) -> None:
    """Close a connection that came after another one."""
    if not late.cancelled() and late.exception() is None:
        late.result().pgconn.finish()
