"""Runs the PostgreSQL of a data folder: starts it, finds it running, stops it. `session` decides when."""

import os
import random
import shlex
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql

from ingest.postgres.account import EmbeddedPostgresError
from ingest.postgres.home import NAME, Cluster, Postmaster, Say

_AS_LONG_AS_IT_TAKES = "31536000"  # seconds; pg_ctl gives up after 60 otherwise, in the middle of a crash recovery
_PORTS = range(20_000, 32_000)  # below the range the kernel hands out to clients, so the port stays ours
_LONGEST_SOCKET_FOLDER = 90  # characters; the kernel's limit is 107 with the socket's own name

# The first change of a page after a checkpoint writes the whole page to the write-ahead log, and deliveries change
# random pages of the index of digests. So checkpoints are rare under load; a crash recovery takes a minute longer.
_FOR_A_LARGE_LOG = {"checkpoint_timeout": "15min", "max_wal_size": "8GB"}
# A warehouse can subscribe to the roster; the write-ahead log kept for one that is gone must not fill the disk.
_FOR_SUBSCRIBERS = {"wal_level": "logical", "max_slot_wal_keep_size": "10GB"}


def running(cluster: Cluster) -> Postmaster | None:
    """The server that runs on this folder, whoever started it; None if its pid file is missing or stale."""
    try:
        lines = (cluster.data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 8 or not _serves(int(lines[0]), cluster.data):
        return None
    return Postmaster(int(lines[0]), int(lines[3]), Path(lines[4]), lines[7].strip())


def settled(cluster: Cluster, say: Say) -> Postmaster | None:
    """Wait until a server that is starting or stopping is ready or gone; gives the ready one, or None."""
    postmaster = running(cluster)
    if postmaster and postmaster.status != "ready":
        say(f"waiting for the PostgreSQL that is {postmaster.status} (log: {cluster.log})")
    while postmaster and postmaster.status != "ready":
        time.sleep(0.1)
        postmaster = running(cluster)
    return postmaster


def start(cluster: Cluster, say: Say) -> Postmaster:
    """Start the server and wait until it answers, through a crash recovery of any length."""
    port = _port(cluster, say)
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": '"' + str(_socket_folder(cluster)).replace('"', '""') + '"',
        **_FOR_A_LARGE_LOG,
        **_FOR_SUBSCRIBERS,
        "shared_buffers": f"{_buffers()}MB",
    }
    flags = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items())
    pg_ctl = cluster.binaries.folder / "pg_ctl"
    process = cluster.account.start(
        pg_ctl, "start", "-w", "-t", _AS_LONG_AS_IT_TAKES, "-D", cluster.data, "-l", cluster.log, "-o", flags
    )
    try:
        postmaster = _started(cluster, process, say)
        _create_database(cluster, postmaster)
    except BaseException:
        # An error, or a signal to end: stop the new server, which has no user then.
        while process.poll() is None and running(cluster) is None:
            time.sleep(0.05)
        if running(cluster):
            stop(cluster)
        raise
    return postmaster


def _started(cluster: Cluster, process: subprocess.Popen[str], say: Say) -> Postmaster:
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        say(f"PostgreSQL is recovering from a crash; waiting for it (log: {cluster.log})")
    process.communicate()
    postmaster = running(cluster)
    if process.returncode != 0 or postmaster is None:
        raise EmbeddedPostgresError(f"PostgreSQL did not start: {_last_error(cluster)} (log: {cluster.log})")
    return postmaster


def stop(cluster: Cluster) -> None:
    """Stop the server and wait until its last checkpoint is written."""
    postmaster = running(cluster)
    pg_ctl = cluster.binaries.folder / "pg_ctl"
    result = cluster.account.run(pg_ctl, "stop", "-m", "fast", "-w", "-t", _AS_LONG_AS_IT_TAKES, "-D", cluster.data)
    if result.returncode != 0 and running(cluster):
        raise EmbeddedPostgresError(f"PostgreSQL did not stop: {result.stderr.strip()} (log: {cluster.log})")
    if postmaster and postmaster.sockets != cluster.home:
        with suppress(OSError):
            postmaster.sockets.rmdir()


def _serves(pid: int, data: Path) -> bool:
    """Whether this process is a server on this folder; after a reboot the pid may be another program's."""
    try:
        os.kill(pid, 0)
        return not Path("/proc/self").exists() or Path(f"/proc/{pid}/cwd").readlink() == data
    except OSError:
        return False


def _port(cluster: Cluster, say: Say) -> int:
    """The port used last time, so that an address that a person noted stays valid; another if it is taken."""
    file = cluster.home / "port"
    text = file.read_text().strip() if file.exists() else ""
    last = int(text) if text.isdigit() else None
    if last is not None and _is_free(last):
        return last
    port = next(port for port in random.sample(_PORTS, len(_PORTS)) if _is_free(port))
    file.write_text(f"{port}\n")
    cluster.account.own(file)
    if last is not None:
        say(f"port {last} is taken: PostgreSQL listens on port {port} now")
    return port


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


def _create_database(cluster: Cluster, postmaster: Postmaster) -> None:
    with psycopg.connect(cluster.conninfo(postmaster, "postgres"), autocommit=True) as connection:
        if connection.execute("select 1 from pg_database where datname = %s", [NAME]).fetchone() is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(NAME)))
