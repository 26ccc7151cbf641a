"""Shares the embedded PostgreSQL among processes: the first one starts it, others join, the last one stops it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest.failures import Failure
from ingest.postgres.account import EmbeddedPostgresError, account_for
from ingest.postgres.cluster import settled, start, stop
from ingest.postgres.home import NAME, Cluster, Postmaster, Say, cluster_in


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
    # The kernel frees both locks when a process is killed; the next process then joins the server left behind.
    with _locked(data_dir / "start.lock", fcntl.LOCK_EX), _opened(data_dir / "users.lock") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        cluster = cluster_in(data_dir, say)
        postmaster = settled(cluster, say) or start(cluster, say)
        users = os.dup(users)
    try:
        yield _server(cluster, postmaster)
    finally:
        with _locked(data_dir / "start.lock", fcntl.LOCK_EX):
            if _is_last(users):
                stop(cluster)
            os.close(users)


@contextmanager
def only_up(data_dir: Path) -> Iterator[None]:
    """Hold the lock of the one `up` that a data folder can have. Raises `AlreadyUp` if another holds it."""
    data_dir = _make_folder(data_dir)
    with _opened(data_dir / "up.lock") as lock:
        _lock_for_up(lock, data_dir)
        yield


def _lock_for_up(lock: int, data_dir: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AlreadyUp(
            f"rosterlog up is running already on {data_dir}: stop it, or set ROSTERLOG_DATA_DIR to another folder"
        ) from None


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


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EmbeddedPostgresError(f"{path} cannot be opened: {error.strerror}; whose folder is it?") from None
    try:
        if os.geteuid() == 0:  # else the folder's owner could not open a file that root made
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path, mode: int) -> Iterator[None]:
    with _opened(path) as descriptor:
        fcntl.flock(descriptor, mode)
        yield


def _is_last(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
