"""Finds the server that runs on a data folder, waits until it can be joined, and clears what a dead one has left.

A server that rosterlog started holds the lock of its data folder, and so do all its processes: pid files and process
numbers, which a power cut, a copy of the folder or another container makes wrong, are not trusted. A server that a
person started by hand has no such lock; it is looked for.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from ingest.driver import SyncConnection
from ingest.postgres.account import EmbeddedPostgresError
from ingest.postgres.home import NAME, Cluster, Postmaster, Say
from ingest.postgres.locks import is_held
from ingest.postgres.processes import end, holders_of, processes_in, sees_all_processes

MARK = f"cluster_name={NAME}"  # in the options of every server that rosterlog starts
_PAUSE = 0.05  # seconds between two looks
_ANSWER_SECONDS = 60.0  # a server that is ready, or that lost its pid file, answers or ends within them
_CHANGE_SECONDS = 900.0  # to start, with a crash recovery, or to stop
_CONNECT_SECONDS = 5


class ServerHangs(EmbeddedPostgresError):
    """The server of the process `pid` has not answered in time."""

    def __init__(self, message: str, pid: int) -> None:
        super().__init__(message)
        self.pid = pid


def running(cluster: Cluster) -> Postmaster | None:
    """The server that runs on this folder, whoever started it; None if none does."""
    if is_held(cluster.lock) or processes_in(cluster.data, cluster.account).postmaster is not None:
        return _from_pid_file(cluster) or Postmaster(0, 0, cluster.home, "starting")
    return None


def join(cluster: Cluster, say: Say) -> Postmaster | None:
    """The server of this folder once it answers; None if there is none, and then nothing hinders a start.

    Waits for one that is starting or stopping. Raises `ServerHangs` if that takes too long.
    """
    begun, said = time.monotonic(), ""
    while postmaster := running(cluster):
        if postmaster.status == "ready" and answers(cluster, postmaster):
            return postmaster
        if postmaster.status == "ready":
            _end_orphans(cluster)
        elif postmaster.status != said:
            said = postmaster.status
            say(f"waiting for the PostgreSQL that is {said} (log: {cluster.log})")
        waited = time.monotonic() - begun
        if waited > (_ANSWER_SECONDS if postmaster.status == "ready" or postmaster.pid == 0 else _CHANGE_SECONDS):
            raise ServerHangs(
                f"a PostgreSQL runs on {cluster.data} and has not answered for {waited:.0f} s ({postmaster.status}): "
                f"its log is {cluster.log}; if it hangs, end its processes",
                postmaster.pid,
            )
        time.sleep(_PAUSE)
    return _out_of_sight(cluster)


def answers(cluster: Cluster, postmaster: Postmaster) -> bool:
    """Whether the server takes a connection; makes its database if that is missing, as after a killed first start."""
    try:
        with _connected(cluster, postmaster) as connection:
            if connection.execute("select 1 from pg_database where datname = %s", [NAME]).fetchone() is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(NAME)))
    except psycopg.OperationalError:
        return _ping(cluster, postmaster) == Ping.OK  # it refuses this connection alone, as when it has too many
    return True


def _ping(cluster: Cluster, postmaster: Postmaster) -> Ping:
    """What the server says before it knows who asks: REJECT while it takes nobody's connection, as when it recovers."""
    conninfo = make_conninfo(cluster.conninfo(postmaster, "postgres"), connect_timeout=_CONNECT_SECONDS)
    return Ping(PGconn.ping(conninfo.encode()))


def _connected(cluster: Cluster, postmaster: Postmaster) -> SyncConnection:
    conninfo = cluster.conninfo(postmaster, "postgres")
    connection = SyncConnection.connect(conninfo, autocommit=True, connect_timeout=_CONNECT_SECONDS)
    connection.wait_seconds = _CONNECT_SECONDS
    return connection


def _end_orphans(cluster: Cluster) -> None:
    """Kill what is left of a server whose first process is dead: PostgreSQL starts again only without them."""
    found = processes_in(cluster.data, cluster.account)
    if found.postmaster is None:
        end((*found.others, *holders_of(cluster.lock, cluster.account)))


def _out_of_sight(cluster: Cluster) -> Postmaster | None:
    """The server that a person started where its processes cannot be seen; None once it is sure that there is none.

    Raises `EmbeddedPostgresError` if that cannot be known.
    """
    _end_orphans(cluster)
    pid_file = cluster.data / "postmaster.pid"
    if not pid_file.exists():
        _clear(cluster)
        return None
    postmaster = _from_pid_file(cluster)
    if postmaster and _is_of_this_folder(cluster, postmaster):
        return postmaster
    if _is_started_by_us(cluster) or sees_all_processes() or _is_of_an_earlier_boot(pid_file) or _is_detached(pid_file):
        _clear(cluster)
        return None
    raise EmbeddedPostgresError(
        f"{pid_file} is of a PostgreSQL that rosterlog did not start and that may run in another container: "
        "stop it there; if none runs, delete that file"
    )


def _is_started_by_us(cluster: Cluster) -> bool:
    """Whether rosterlog started the last server, which held the lock then; nobody holds it, so that server is dead.

    A restart by hand keeps the options but not the lock: such a server answers, which is asked before. Without the
    lock's file nothing is known.
    """
    with suppress(OSError):
        return cluster.lock.exists() and MARK in (cluster.data / "postmaster.opts").read_text()
    return False


def _from_pid_file(cluster: Cluster) -> Postmaster | None:
    try:
        lines = (cluster.data / "postmaster.pid").read_text().splitlines()
        return Postmaster(int(lines[0]), int(lines[3]), _sockets(cluster, lines[4]), lines[7].strip())
    except (OSError, ValueError, IndexError):
        return None


def _sockets(cluster: Cluster, line: str) -> Path:
    """The folder that a pid file names. A server without a socket names none: it is reached by TCP, from any folder.

    What is no path would be taken for the name of a host.
    """
    return Path(line) if line.startswith(("/", "@")) else cluster.home


def _is_of_this_folder(cluster: Cluster, postmaster: Postmaster) -> bool:
    """Whether the server at the pid file's address sees this very folder, not the one that this is a copy of."""
    probe = cluster.data / f"probe-{os.urandom(8).hex()}"
    probe.touch()
    give_up = time.monotonic() + _ANSWER_SECONDS
    try:
        while (sees := _sees(cluster, postmaster, probe.name)) is None and time.monotonic() < give_up:
            time.sleep(_PAUSE)
        return sees is True
    finally:
        probe.unlink()


def _sees(cluster: Cluster, postmaster: Postmaster, name: str) -> bool | None:
    """Whether the server has a file of this name in its data folder; None while it starts up."""
    try:
        with _connected(cluster, postmaster) as connection:
            return connection.execute("select (pg_stat_file(%s, true)).size", [name]).fetchone() == (0,)
    except psycopg.Error:
        return None if _ping(cluster, postmaster) == Ping.REJECT else False


def _is_of_an_earlier_boot(pid_file: Path) -> bool:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return pid_file.stat().st_ctime < int(line.split()[1])
    return False


def _is_detached(pid_file: Path) -> bool:
    """Whether the server's block of shared memory is one that this process can see, and nobody uses it."""
    try:
        key, number = pid_file.read_text().splitlines()[6].split()
        blocks = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    except (OSError, IndexError, ValueError):
        return False
    return any(block[0] == key and block[1] == number and block[6] == "0" for block in blocks)


def _clear(cluster: Cluster) -> None:
    """Remove what a dead server has left: a start would take a number in it for a living server's."""
    dead = _from_pid_file(cluster)
    (cluster.data / "postmaster.pid").unlink(missing_ok=True)
    for left in cluster.home.glob(".s.PGSQL.*"):
        left.unlink(missing_ok=True)
    if dead and dead.sockets.name.startswith(f"{NAME}-"):
        with suppress(OSError):
            for left in dead.sockets.glob(".s.PGSQL.*"):
                left.unlink(missing_ok=True)
            dead.sockets.rmdir()
