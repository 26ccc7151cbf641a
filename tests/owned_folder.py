"""A data folder, processes that use its server, and what a person does to it by hand."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ingest.postgres.home import Cluster, cluster_in
from ingest.postgres.processes import processes_in

# Another process that uses the server of a folder until its input ends; it says the server's address.
USER = """
import sys
from pathlib import Path
from ingest import postgres

with postgres.server(Path(sys.argv[1]), lambda line: print("said", line, flush=True)) as server:
    print("in", server.conninfo, flush=True)
    sys.stdin.readline()
"""
IS_ROOT = os.geteuid() == 0
needs_namespaces = pytest.mark.skipif(
    not IS_ROOT or shutil.which("unshare") is None, reason="only root can make namespaces, with unshare"
)
NAMESPACES = ("unshare", "--pid", "--ipc", "--fork", "--mount-proc")


@contextmanager
def user(data: Path, *before: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the folder's server; killed at the end, if it has not ended by then."""
    command = [*before, sys.executable, "-c", USER, str(data)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def address(process: subprocess.Popen[str]) -> str:
    """The connection string that a user prints once it is in."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("in "):
            return line.removeprefix("in ").strip()
    raise AssertionError("".join(lines))


def cluster(data: Path) -> Cluster:
    return cluster_in(data, print)


def postmaster(data: Path) -> int:
    found = cluster(data)
    pid = processes_in(found.data, found.account).postmaster
    assert pid is not None
    return pid


def write(conninfo: str, value: int) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute("create table if not exists kept (a int)")
        connection.execute("insert into kept values (%s)", [value])


def kept(conninfo: str) -> list[int]:
    with psycopg.connect(conninfo) as connection:
        return [row[0] for row in connection.execute("select a from kept order by a")]


def by_hand(data: Path, *before: str, port: int | None = None) -> None:
    """Start PostgreSQL as a person would who knows nothing of rosterlog. `port`: without a socket, by TCP alone."""
    found = cluster(data)
    listens = "listen_addresses=127.0.0.1" if port else "listen_addresses="
    sockets = "" if port else found.home
    options = f"-c {listens} -c unix_socket_directories={sockets} -p {port or 5999}"
    done = found.account.run(
        *before, found.binaries.folder / "pg_ctl", "start", "-w", "-D", found.data, "-l", found.log, "-o", options
    )
    assert done.returncode == 0, done.stderr
