"""Shares the embedded PostgreSQL among processes: the first one starts it, others join, the last one stops it."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ingest.failures import Failure
from ingest.postgres.account import EmbeddedPostgresError, account_for
from ingest.postgres.cluster import start, stop
from ingest.postgres.hanging import join_in_turn
from ingest.postgres.home import NAME, Cluster, Postmaster, Say, cluster_in
from ingest.postgres.locks import CannotOpen, is_held, locked, opened, take
from ingest.postgres.processes import holders_of, is_at_work, processes_in
from ingest.postgres.running import join

_START, _USERS, _UP = "start.lock", "users.lock", "up.lock"
_WATCH_SECONDS = 0.5  # between two looks whether the server still runs
_HELD_UP_SECONDS = 10.0  # that another process may take to start or stop the server
_AGAIN_SECONDS = 5.0  # until the next try after one that failed


class AlreadyUp(Failure):
    """Another `rosterlog up` runs on this data folder; the message names it."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running embedded server: the connection string for programs, and what a person needs to connect."""

    conninfo: str
    address: str
    password_file: Path
    programs: Path


@contextmanager
def server(data_dir: Path, say: Say, *, make: bool = True) -> Iterator[Server]:
    """The server of a data folder for as long as the block lasts, shared with every other process that uses it.

    Raises `EmbeddedPostgresError` if there is no database and `make` is False: a mistyped folder must not get one.
    """
    if not make and not (data_dir / "postgres" / "data" / "PG_VERSION").exists():
        raise EmbeddedPostgresError(
            f"there is no database in {data_dir}: is ROSTERLOG_DATA_DIR right? rosterlog up or migrate makes a new one"
        )
    data_dir = _make_folder(data_dir)
    cluster, postmaster, users = _enter(data_dir, say)
    try:
        yield _server(cluster, postmaster)
    finally:
        try:
            _leave(data_dir, cluster, users, say)
        finally:
            os.close(users)


def _enter(data_dir: Path, say: Say) -> tuple[Cluster, Postmaster, int]:
    """Join or start the server; gives the descriptor whose lock makes this process one of its users as well."""
    try:
        with locked(data_dir / _START, say) as lock, opened(data_dir / _USERS) as users:
            fcntl.flock(users, fcntl.LOCK_SH)
            cluster = cluster_in(data_dir, say)
            postmaster = join_in_turn(cluster, lock, say) or start(cluster, say)
            return cluster, postmaster, os.dup(users)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise EmbeddedPostgresError(f"the embedded database cannot be started: {what}; mend that first") from None


def _leave(data_dir: Path, cluster: Cluster, users: int, say: Say) -> None:
    """Stop the server unless others use it."""
    try:
        with locked(data_dir / _START, say):
            if take(users):  # nobody else uses it
                stop(cluster, say)
    except CannotOpen as error:
        say(f"{error} PostgreSQL is stopped all the same, unless others use it")
        if take(users):  # who would begin to use it waits for this lock as well
            stop(cluster, say)


@contextmanager
def kept_running(data_dir: Path, say: Say) -> Iterator[None]:
    """Start the folder's server again whenever it dies while this block lasts, at the same address.

    For programs that serve: they are among the users of the server.
    """
    over = threading.Event()
    thread = threading.Thread(target=_keep_running, args=(data_dir.absolute(), say, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _keep_running(data_dir: Path, say: Say, over: threading.Event) -> None:
    cluster: Cluster | None = None
    pid: int | None = None
    died_at: float | None = None
    while not over.wait(_WATCH_SECONDS):
        try:
            cluster = cluster or cluster_in(data_dir, say)
            if pid is None or not is_at_work(pid):
                pid = processes_in(cluster.data, cluster.account).postmaster
            if is_held(cluster.lock) and (pid is not None or not holders_of(cluster.lock, cluster.account)):
                died_at = None
                if pid is None:  # it runs in another container, out of sight
                    over.wait(_AGAIN_SECONDS)
            else:  # nobody holds its lock, or only what it has left behind
                died_at = died_at or time.monotonic()
                _revive(data_dir, cluster, say, time.monotonic() - died_at > _HELD_UP_SECONDS)
        except (EmbeddedPostgresError, OSError, psycopg.Error) as error:  # such as too many open files
            say(f"{error}; looking after PostgreSQL goes on")
            over.wait(_AGAIN_SECONDS)


def _revive(data_dir: Path, cluster: Cluster, say: Say, is_held_up: bool) -> None:  # noqa: FBT001 - private
    with opened(data_dir / _START) as lock:
        # Otherwise another process starts or stops it; one that stands still must not hinder a start, which has a lock
        # of its own.
        if (take(lock) or is_held_up) and join(cluster, say) is None:
            say(f"PostgreSQL has died: starting it again (log: {cluster.log})")
            start(cluster, say, on_same_port=True)


@contextmanager
def only_up(data_dir: Path) -> Iterator[None]:
    """Hold the lock of the one `up` that a data folder can have. Raises `AlreadyUp` if another holds it."""
    data_dir = _make_folder(data_dir)
    with opened(data_dir / _UP) as lock:
        if not take(lock):
            raise AlreadyUp(
                f"rosterlog up is running already on {data_dir}: stop it, or set ROSTERLOG_DATA_DIR to another folder"
            )
        yield


def _server(cluster: Cluster, postmaster: Postmaster) -> Server:
    address = f"postgresql://{NAME}@127.0.0.1:{postmaster.port}/{NAME}"
    return Server(cluster.conninfo(postmaster), address, cluster.home / "password", cluster.binaries.folder)


def _make_folder(data_dir: Path) -> Path:
    """Make the data folder if it is missing; gives its absolute path."""
    data_dir = data_dir.absolute()
    try:
        if not data_dir.exists():
            data_dir.parent.mkdir(parents=True, exist_ok=True)
            account_for(None).make_folder(data_dir)
    except FileExistsError:
        pass  # another process made it at the same moment
    except OSError as error:
        raise EmbeddedPostgresError(f"the data folder {data_dir} cannot be made: {error.strerror}") from None
    return data_dir
