"""The locks of a data folder. The kernel frees each with the last process that holds it, however that process ends."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.postgres.account import EmbeddedPostgresError

_PAUSE = 0.05  # seconds between two tries
_SAY_AFTER = 5.0  # seconds
_GIVE_UP_AFTER = 900.0  # seconds; the longest that starting a server, with its crash recovery, may hold up the others


class CannotOpen(EmbeddedPostgresError):
    """The file of a lock cannot be opened."""


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor of a lock's file, which is made if it is missing."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotOpen(f"{path} cannot be opened: {error.strerror}; whose folder is it?") from None
    try:
        if os.geteuid() == 0:  # else the folder's owner could not open a file that root made
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        yield descriptor
    finally:
        os.close(descriptor)


def take(descriptor: int, mode: int = fcntl.LOCK_EX) -> bool:
    """Take the lock of an opened file unless another process holds it."""
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise NoLocks(str(error.strerror)) from None
    return True


@contextmanager
def locked(path: Path, say: Callable[[str], None]) -> Iterator[int]:
    """Hold a lock for the block, once every other process has let it go; gives the descriptor of its file."""
    with opened(path) as descriptor:
        begun, said = time.monotonic(), False
        while not take(descriptor):
            waited = time.monotonic() - begun
            if waited > _GIVE_UP_AFTER:
                raise EmbeddedPostgresError(f"another rosterlog command has held {path} for {waited:.0f} s: end it")
            if waited > _SAY_AFTER and not said:
                say(f"waiting for another rosterlog command, which starts, stops or waits for PostgreSQL ({path})")
                said = True
            time.sleep(_PAUSE)
        refuse_useless(path)
        yield descriptor


def is_held(path: Path) -> bool:
    """Whether any process holds the lock."""
    if not path.exists():
        return False
    with opened(path) as descriptor:
        return not take(descriptor, fcntl.LOCK_SH)


class NoLocks(EmbeddedPostgresError):
    """The file system cannot keep two processes apart."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the data folder's file system has no locks that work ({why}), so nothing would keep two servers "
            "off the same data: set ROSTERLOG_DATA_DIR to a folder on a local disk, or DATABASE_URL to a server"
        )


def refuse_useless(held: Path) -> None:
    """Raise `NoLocks` if a lock that this process holds can be taken again, or is known to this machine alone."""
    with opened(held) as second:
        if take(second):
            raise NoLocks("two processes can hold one")
    kind, options = _mount_of(held)
    if kind.startswith("nfs") and ("nolock" in options or "local_lock=all" in options or "local_lock=flock" in options):
        raise NoLocks("NFS without locks between machines")


def _mount_of(path: Path) -> tuple[str, list[str]]:
    """The type and the options of the file system that a file is on; empty where the system does not tell."""
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return "", []
    for line in lines:
        before, _, after = line.partition(" - ")
        if before.split()[2] == number:
            kind, _, options = after.split()[:3]
            return kind, options.split(",")
    return "", []
