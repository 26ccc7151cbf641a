"""Checks this machine: the account, the embedded database's files, and the room on its disk. No database is needed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ingest.disk import NEARLY_FULL_BYTES, amount
from projections.doctor.finding import DoctorFinding, fail, ok, warn

MOST_WAL = 8 * 2**30  # bytes that the write-ahead log takes under load, where the server does not say
_OTHERS = 0o077


def check_account(user: int) -> DoctorFinding:
    """Whether this program runs as root, and so probably the others. `user`: the number of the account."""
    if user == 0:
        do = "run everything as an account of its own, such as one that useradd --system rosterlog makes"
        return warn("account", "this runs as root, which nothing here needs", do)
    return ok("account", "this does not run as root")


def check_files_of(data_dir: Path) -> Iterator[DoctorFinding]:
    """Whether other accounts of the machine can read the embedded database's password or enter its folder."""
    home = (data_dir / "postgres").resolve()
    if not home.exists():
        return
    password = home / "password"
    if (mode := _mode(home)) is not None and mode & _OTHERS:
        yield fail("files", f"other accounts can enter {home} (mode {mode:04o})", f"chmod 700 {home}")
    if (mode := _mode(password)) is not None and mode & _OTHERS:
        says = f"other accounts can read {password} (mode {mode:04o}), the password of the database's superuser"
        yield fail("files", says, f"chmod 600 {password}; if others use this machine, change the password, too")
    if (_mode(home) or 0) & _OTHERS == 0 and (_mode(password) or 0) & _OTHERS == 0:
        yield ok("files", "other accounts cannot read the embedded database's files")


def check_disk(data_dir: Path, most_wal: int = MOST_WAL) -> Iterator[DoctorFinding]:
    """Whether the disk of the embedded database has room, also for the write-ahead log at its largest (in bytes)."""
    data = (data_dir / "postgres" / "data").resolve()
    if not data.exists():
        return
    free, wal = shutil.disk_usage(data).free, _size(data / "pg_wal")
    to_come = max(most_wal - wal, 0)
    if free < NEARLY_FULL_BYTES:
        says = f"{amount(free)} are free for the database: when it is full, deliveries are answered 503"
        yield fail("disk", says, "make room on it; nothing else is needed")
    elif free < to_come + NEARLY_FULL_BYTES:
        says = (
            f"{amount(free)} are free for the database, and its write-ahead log can take {amount(to_come)} more under"
        )
        yield warn("disk", f"{says} load (max_wal_size)", "make room, or set max_wal_size lower")
    else:
        yield ok("disk", f"{amount(free)} are free for the database; its write-ahead log takes {amount(to_come)} more")


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return None


def _size(folder: Path) -> int:
    """The bytes of a folder's files, as far as this account may see them."""
    size = 0
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):  # a segment that was just removed
                size += entry.stat().st_size
    return size
