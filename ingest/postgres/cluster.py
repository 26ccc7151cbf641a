"""Starts and stops the PostgreSQL of a data folder. `session` decides when, `running` finds it."""

import os
import random
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ingest.postgres.account import EmbeddedPostgresError
from ingest.postgres.home import Cluster, Postmaster, Say
from ingest.postgres.locks import is_held, opened, refuse_useless, take
from ingest.postgres.processes import end, holders_of, is_at_work, processes_in
from ingest.postgres.running import MARK, answers, running

_AS_LONG_AS_IT_TAKES = "31536000"  # seconds; pg_ctl gives up after 60 otherwise, in the middle of a crash recovery
# Its log must not hold values of rows: the context of a failed COPY is the row itself.
_FOR_PRIVACY = {"log_error_verbosity": "terse", "log_min_error_statement": "panic"}
_FAST_STOP_SECONDS = 120.0  # then at once, as a subscriber that takes nothing more hinders a fast stop for ever
_STOP_AT_ONCE_SECONDS = 30.0
_LOOK_SECONDS = 1.0
_ORPHAN_SECONDS = 2.0  # in which the processes of a server that died notice it
_PAUSE = 0.02  # seconds between two looks
_PORTS = range(20_000, 32_000)  # below the range the kernel hands out to clients, so the port stays ours
_LONGEST_SOCKET_FOLDER = 90  # characters; the kernel's limit is 107 with the socket's own name

# The first change of a page after a checkpoint writes the whole page to the write-ahead log, and deliveries change
# random pages of the index of digests. So checkpoints are rare under load; a crash recovery takes a minute longer.
_FOR_A_LARGE_LOG = {"checkpoint_timeout": "15min", "max_wal_size": "8GB"}
# A warehouse can subscribe to the roster; the write-ahead log kept for one that is gone must not fill the disk.
_FOR_SUBSCRIBERS = {"wal_level": "logical", "max_slot_wal_keep_size": "10GB"}


def start(cluster: Cluster, say: Say, *, on_same_port: bool = False) -> Postmaster:
    """Start the server and wait until it answers, through a crash recovery of any length.

    `on_same_port`: its users know its address already, so it has no TCP if another program has taken the port.
    """
    try:
        return _start(cluster, say, on_same_port=on_same_port)
    except PortTakenMeanwhile:
        return _start(cluster, say, on_same_port=on_same_port)


class PortTakenMeanwhile(EmbeddedPostgresError):
    """Another program took the port just before the server could."""


def _start(cluster: Cluster, say: Say, *, on_same_port: bool) -> Postmaster:
    with opened(cluster.lock) as lock:
        # Another process may look for a moment whether it is held.
        if not _becomes(lambda: take(lock), _LOOK_SECONDS):
            raise EmbeddedPostgresError(f"a PostgreSQL runs on {cluster.data}: run the command again to join it")
        refuse_useless(cluster.lock)
        pg_ctl = cluster.binaries.folder / "pg_ctl"
        flags = _flags(cluster, say, on_same_port=on_same_port)
        process = cluster.account.start(
            pg_ctl, "start", "-w", "-t", _AS_LONG_AS_IT_TAKES, "-D", cluster.data, "-l", cluster.log, "-o", flags,
            descriptor=lock,
        )  # fmt: skip
    try:
        postmaster = _started(cluster, process, say)
    except BaseException:
        # An error, or a signal to end: stop the new server, which has no user then.
        while process.poll() is None and processes_in(cluster.data, cluster.account).postmaster is None:
            time.sleep(_PAUSE)
        stop(cluster, say)
        raise
    return postmaster


def _flags(cluster: Cluster, say: Say, *, on_same_port: bool) -> str:
    port, is_free = _port(cluster, say, keep=on_same_port)
    settings = {
        "listen_addresses": "127.0.0.1" if is_free else "",
        "port": str(port),
        "unix_socket_directories": '"' + str(_socket_folder(cluster)).replace('"', '""') + '"',
        **_FOR_A_LARGE_LOG,
        **_FOR_SUBSCRIBERS,
        **_FOR_PRIVACY,
        "shared_buffers": f"{_buffers()}MB",
    }
    options = [MARK, *(f"{name}={value}" for name, value in settings.items())]
    return " ".join(f"-c {shlex.quote(option)}" for option in options)


def _started(cluster: Cluster, process: subprocess.Popen[str], say: Say) -> Postmaster:
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        say(f"PostgreSQL is recovering from a crash; waiting for it (log: {cluster.log})")
    process.communicate()
    postmaster = running(cluster)
    if process.returncode != 0 or postmaster is None or not answers(cluster, postmaster):
        error = _last_error(cluster)
        kind = PortTakenMeanwhile if "TCP/IP sockets" in error else EmbeddedPostgresError
        raise kind(f"PostgreSQL did not start: {error} (log: {cluster.log})")
    return postmaster


def stop(cluster: Cluster, say: Say) -> None:
    """Stop the server and wait until its last checkpoint is written; after two minutes stop it without one.

    A server that was started in another container goes on.
    """
    postmaster = running(cluster)
    pid = processes_in(cluster.data, cluster.account).postmaster
    if pid is None:
        # Its lock is held for a moment more by processes that end after the first one.
        if postmaster is not None and not _becomes(lambda: not is_held(cluster.lock), _ORPHAN_SECONDS):
            say("PostgreSQL goes on running: it was started in another container, whose end stops it")
        return
    for number, seconds in ((signal.SIGINT, _FAST_STOP_SECONDS), (signal.SIGQUIT, _STOP_AT_ONCE_SECONDS)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if _becomes(lambda: not is_at_work(pid), seconds):
            break
        say(f"PostgreSQL has not stopped within {seconds:.0f} s; stopping it at once (log: {cluster.log})")
    else:
        end((pid,))
    if not _becomes(lambda: not is_held(cluster.lock), _ORPHAN_SECONDS):
        end(holders_of(cluster.lock, cluster.account))  # also what it has started, such as programs of COPY
    if postmaster and postmaster.sockets != cluster.home:
        with suppress(OSError):
            postmaster.sockets.rmdir()


def _becomes(is_so: Callable[[], bool], seconds: float) -> bool:
    """Whether something becomes so before so many seconds are over."""
    give_up = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > give_up:
            return False
        time.sleep(_PAUSE)
    return True


def _port(cluster: Cluster, say: Say, *, keep: bool) -> tuple[int, bool]:
    """The port used last time, so that an address that a person noted stays valid, and whether it is free.

    Another port if it is taken, unless it must be kept.
    """
    file = cluster.home / "port"
    text = file.read_text().strip() if file.is_file() else ""
    last = int(text) if text.isdigit() and 0 < int(text[:9]) < 65_536 else None
    if last is not None and (keep or _is_free(last)):
        return last, _is_free(last)
    port = next(port for port in random.sample(_PORTS, len(_PORTS)) if _is_free(port))
    file.write_text(f"{port}\n")
    cluster.account.own(file)
    if last is not None:
        say(f"port {last} is taken: PostgreSQL listens on port {port} now")
    return port, True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _buffers() -> int:
    """The size of `shared_buffers` in MB: an eighth of the memory, but at least 128 and at most 2048."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # a container may have less than the machine
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return max(128, min(memory // 8 // 2**20, 2048))


def _socket_folder(cluster: Cluster) -> Path:
    # libpq splits hosts at commas, and the kernel limits a socket's path.
    if len(os.fsencode(cluster.home)) <= _LONGEST_SOCKET_FOLDER and "," not in str(cluster.home):
        return cluster.home
    folder = Path(tempfile.mkdtemp(prefix="rosterlog-"))
    cluster.account.own(folder)
    return folder


def _last_error(cluster: Cluster) -> str:
    try:
        lines = cluster.log.read_text(errors="replace").splitlines()
    except OSError:
        return "it wrote no log"
    return next((line for line in reversed(lines) if "FATAL" in line or "PANIC" in line), lines[-1] if lines else "")
