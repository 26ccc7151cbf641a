"""Which processes work in a PostgreSQL data folder, however they came there: the kernel knows, not a pid file."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ingest.postgres.account import Account

_INITIAL_NAMESPACE = "pid:[4026531836]"  # the number that Linux gives the pid namespace of the machine itself
# Asked as the server's own account: root in a container may not see the working folder of another account's processes.
_IN_FOLDER = 'for process in /proc/[0-9]*; do [ "$process/cwd" -ef "$0" ] && echo "${process#/proc/}"; done; :'


@dataclass(frozen=True, slots=True)
class Processes:
    """The server's first process, None if there is none that this process can see, and the server's other processes."""

    postmaster: int | None
    others: tuple[int, ...]


def processes_in(data: Path, account: Account) -> Processes:
    """The processes whose working folder is this one: only a PostgreSQL server works in it."""
    postmaster, others = None, []
    for pid in map(int, account.run("/bin/sh", "-c", _IN_FOLDER, data).stdout.split()):
        title = _title(pid)
        if title.startswith(b"postgres:"):  # as every other process of a server calls itself
            others.append(pid)
        elif title.partition(b"\0")[0].endswith(b"postgres"):
            postmaster = pid
    return Processes(postmaster, tuple(others))


def sees_all_processes() -> bool:
    """Whether no process of this machine is hidden from this one, as those of another container are."""
    try:
        return str(Path("/proc/self/ns/pid").readlink()) == _INITIAL_NAMESPACE
    except OSError:
        return False


def is_at_work(pid: int) -> bool:
    """Whether the process exists and has not ended; one that nobody has waited for exists after its end."""
    return bool(_title(pid))


def end(pids: tuple[int, ...]) -> None:
    """Kill these processes."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""
