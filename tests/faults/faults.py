"""The faults: what each does to the site, and what undoes it. Each leaves the site to recover by itself."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.faults.commands import (
    ERASE,
    EXPORT,
    POINTER,
    REBUILD,
    ROLLBACK,
    ROWS_READ,
    ROWS_WRITTEN,
    catch_up_killed,
    killed_at,
    migration_killed,
    new_table,
)
from tests.faults.site import Site
from tests.program import until


@dataclass(frozen=True, slots=True)
class Fault:
    """`during`: lasts for the block of the context that it gives. `seconds`: for how long. `needs_root`: or a disk."""

    name: str
    during: Callable[[Site], Any]
    seconds: float = 0.5
    needs_root: bool = False


def _killed(*find: Callable[[Site], int]) -> Callable[[Site], Any]:
    @contextmanager
    def during(site: Site) -> Iterator[None]:
        for pid in [each(site) for each in find]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        yield

    return during


def _stopped(find: Callable[[Site], int]) -> Callable[[Site], Any]:
    @contextmanager
    def during(site: Site) -> Iterator[None]:
        pid = find(site)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    return during


def _program(name: str) -> Callable[[Site], int]:
    return lambda site: site.pid(name)


def _backend(like: str) -> Callable[[Site], int]:
    """A process of the database that has last done something like this for a program."""

    def find(site: Site) -> int:
        query = "select pid from pg_stat_activity where query like %s and pid <> pg_backend_pid() order by random()"

        def found() -> int | None:
            with site.database() as connection:
                row = connection.execute(query, [like]).fetchone()
                return row[0] if row else None

        return int(until(found))

    return find


def _for_every_session(action: str) -> Callable[[Site], Any]:
    """Terminate or cancel every session, again and again."""

    @contextmanager
    def during(site: Site) -> Iterator[None]:
        for _ in range(20):
            with site.database() as connection:
                connection.execute(
                    f"select {action}(pid) from pg_stat_activity "
                    "where backend_type = 'client backend' and pid <> pg_backend_pid()".encode()
                )
            time.sleep(0.1)
        yield

    return during


@contextmanager
def _exhausted(site: Site) -> Iterator[None]:
    """Every connection that the database allows is taken by somebody else."""
    with ExitStack() as stack:
        with suppress(psycopg.OperationalError):
            for _ in range(200):
                stack.enter_context(psycopg.connect(site.conninfo, autocommit=True))
        with suppress(psycopg.OperationalError):
            _end_others(site)
        yield


def _end_others(site: Site) -> None:
    """End the programs' sessions, whose places the others take."""
    with psycopg.connect(site.conninfo, autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where query like '%append_events%'")


@contextmanager
def _read_only(site: Site) -> Iterator[None]:
    """The database takes no writes, as after a fail-over to a replica: its own default, for every new session."""
    with site.database() as connection:
        connection.execute("alter database rosterlog set default_transaction_read_only = on")
        connection.execute("revoke execute on all functions in schema public from rosterlog_ingest")
    try:
        yield
    finally:
        with site.database() as connection:
            connection.execute("set default_transaction_read_only = off")
            connection.execute("alter database rosterlog reset default_transaction_read_only")
            connection.execute(
                "grant execute on function append_events(text, bytea[], text[], text[], text[]) to rosterlog_ingest"
            )


@contextmanager
def _full_disk(site: Site) -> Iterator[None]:
    filler = site.data.parent / "filler"
    with suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(b"\0" * 1_048_576)
            file.flush()
    try:
        yield
    finally:
        filler.unlink()


def _proxied(**settings: object) -> Callable[[Site], Any]:
    """The proxy between the second server and the database does this, and then passes everything on again."""

    @contextmanager
    def during(site: Site) -> Iterator[None]:
        before = {name: getattr(site.proxy, name) for name in settings}
        for name, value in settings.items():
            setattr(site.proxy, name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(site.proxy, name, value)

    return during


@contextmanager
def _cut(site: Site) -> Iterator[None]:
    site.proxy.cut()
    yield


@contextmanager
def _socket_deleted(site: Site) -> Iterator[None]:
    for socket in (site.data / "postgres").resolve().glob(".s.PGSQL.*"):
        socket.unlink()
    yield


FAULTS = (
    Fault("kill -9: server with worker and database (up)", _killed(_program("up"))),
    Fault("kill -9: second server", _killed(_program("behind"))),
    Fault("kill -9: worker of up", _killed(Site.pid_of_folding)),
    Fault("kill -9: one session of the database", _killed(_backend("%append_events%"))),
    Fault("kill -9: the database's first process", _killed(Site.pid_of_database)),
    Fault(
        "kill -9: everything at once",
        _killed(*map(_program, ("up", "behind", "worker")), Site.pid_of_folding, Site.pid_of_database),
    ),
    Fault("stopped 8 s: second server", _stopped(_program("behind")), 8),
    Fault("stopped 8 s: server with worker and database (up)", _stopped(_program("up")), 8),
    Fault("stopped 12 s: second worker", _stopped(_program("worker")), 12),
    Fault("stopped 20 s: worker of up", _stopped(Site.pid_of_folding), 20),
    Fault("stopped 8 s: one session of the database", _stopped(_backend("%append_events%")), 8),
    Fault("stopped 6 s: the database's first process", _stopped(Site.pid_of_database), 6),
    Fault("every session terminated, 20 times", _for_every_session("pg_terminate_backend")),
    Fault("every statement cancelled, 20 times", _for_every_session("pg_cancel_backend")),
    Fault("all connections taken, 4 s", _exhausted, 4),
    Fault("read-only and forbidden, 3 s", _read_only, 3),
    Fault("disk full, 4 s", _full_disk, 4, needs_root=True),
    Fault("socket's file deleted", _socket_deleted),
    Fault("proxy refuses, 3 s", _proxied(refuses=True), 3),
    Fault("proxy cuts", _cut),
    Fault("proxy delays each answer by 2 s, 8 s", _proxied(delay=2.0), 8),
    Fault("proxy swallows, 10 s", _proxied(swallows=True), 10),
    Fault("migration of a new database killed", migration_killed),
    Fault("rebuild killed while it loads", killed_at(REBUILD, new_table("share"), REBUILD)),
    Fault("rebuild killed while it makes indexes", killed_at(REBUILD, new_table("row exclusive"), REBUILD)),
    Fault("rebuild killed while it catches up", catch_up_killed),
    Fault("rebuild killed within its swap", killed_at(REBUILD, POINTER, REBUILD)),
    Fault("rollback killed within its swap", killed_at(ROLLBACK, POINTER, REBUILD)),
    Fault("erasure killed within its transaction", killed_at(ERASE, ROWS_WRITTEN, None)),
    Fault("export killed within its query", killed_at(EXPORT, ROWS_READ, EXPORT)),
)  # fmt: skip


def possible(data: Path) -> list[Fault]:
    """The faults that can be tried here."""
    return [fault for fault in FAULTS if not fault.needs_root or data.parent.is_mount()]
