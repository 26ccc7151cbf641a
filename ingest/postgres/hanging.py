"""What a command that waited in vain for PostgreSQL notes in the lock's file: those behind it would wait for the same.

Each command holds the lock of starting and stopping while it waits, so that without this note they would wait one after
the other.
"""

import os
import time
from contextlib import suppress

from ingest.postgres.home import Cluster, Postmaster, Say
from ingest.postgres.running import ServerHangs, join, running

_COUNTS_SECONDS = 10.0  # that a note counts for: whoever has waited for the lock meanwhile has it within a moment
_LONGEST_NOTE = 4_096  # bytes


def join_in_turn(cluster: Cluster, lock: int, say: Say) -> Postmaster | None:
    """Join as `join` does, but wait for no server for which the command before has just waited in vain.

    `lock`: the descriptor of the lock that this process holds.
    """
    pid, message = _noted(lock)
    if message and (server := running(cluster)) and server.pid == pid:
        raise ServerHangs(message, pid)
    try:
        return join(cluster, say)
    except ServerHangs as error:
        with suppress(OSError):  # such as a full disk: those behind wait for themselves
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{error.pid} {error}".encode(), 0)
        raise


def _noted(lock: int) -> tuple[int, str]:
    """The process number of the server and the message of a note that counts; 0 and nothing if there is none."""
    if abs(time.time() - os.fstat(lock).st_mtime) > _COUNTS_SECONDS:
        return 0, ""
    pid, _, message = os.pread(lock, _LONGEST_NOTE, 0).decode(errors="replace").partition(" ")
    return (int(pid), message) if pid.isdigit() else (0, "")
