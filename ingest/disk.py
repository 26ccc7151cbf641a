"""How much room the embedded database has left on its file system, and what to do when that is little."""

import os
from pathlib import Path

FULL_BYTES = 134_217_728  # with less, the next segments of the write-ahead log may not fit, and PostgreSQL stops
NEARLY_FULL_BYTES = 2_147_483_648  # a busy day's growth, and the write-ahead log under load


def free_bytes(data_dir: Path) -> int | None:
    """The bytes that are free for an ordinary user where the embedded database is; None if that cannot be told."""
    try:
        found = os.statvfs(data_dir / "postgres")  # which may be a link to another file system
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def disk_hindrance(free: int | None) -> str | None:
    """Why a database with so many free bytes keeps nothing more; None if it does, or if they are not known."""
    return None if free is None or free >= FULL_BYTES else f"the disk is full, {amount(free)} are left"


def amount(size: float) -> str:
    """A number of bytes as a person reads it: in units of 1024, as PostgreSQL's settings have them."""
    for unit, bytes_of_unit in (("GB", 2**30), ("MB", 2**20), ("kB", 2**10)):
        if size >= bytes_of_unit:
            return f"{size / bytes_of_unit:.1f} {unit}"
    return f"{size:.0f} bytes"
