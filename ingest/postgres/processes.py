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
# Among them are programs that the server has started, such as those of COPY: they keep its lock after its end.
_HAVE_OPEN = 'for file in /proc/[0-9]*/fd/*; do [ "$file" -ef "$0" ] && echo "${file#/proc/}"; done; :'


@dataclass(frozen=True, slots=True)
class Processes:
    """The server's first process, None if there is none that this process can see, and the server's other processes."""

    postmaster: int | None
    others: tuple[int, ...]


def processes_in(data: Path, account: Account) -> Processes:
    """The processes whose working folder is this one: only a PostgreSQL server works in it."""
    found = {int(pid) for pid in account.run("/bin/sh", "-c", _IN_FOLDER, data).stdout.split()}
    servers = {pid: title for pid in found if b"postgres" in (title := _title(pid)).partition(b"\0")[0]}
    # Each other process calls itself "postgres: ...", but not before its client has said who it is.
    first = [
        pid for pid, title in servers.items() if not title.startswith(b"postgres:") and _parent(pid) not in servers
    ]
    postmaster = first[0] if first else None
    return Processes(postmaster, tuple(sorted(servers.keys() - {postmaster})))


def holders_of(lock: Path, account: Account) -> tuple[int, ...]:
    """The account's processes that have the lock's file open, but for this one."""
    lines = account.run("/bin/sh", "-c", _HAVE_OPEN, lock).stdout.split()
    return tuple({int(line.partition("/")[0]) for line in lines} - {os.getpid()})


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


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):  # it has ended
        return None


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""
