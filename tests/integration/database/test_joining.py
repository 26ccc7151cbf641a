"""Promise 16: a PostgreSQL that a person started, or that runs in another container, is joined, not doubled."""

import os
import signal
import subprocess
from pathlib import Path

import psutil

from ingest import postgres
from ingest.postgres.locks import is_held
from ingest.postgres.processes import processes_in
from tests import DEADLINE
from tests.owned_folder import (
    NAMESPACES,
    address,
    by_hand,
    cluster,
    kept,
    needs_namespaces,
    postmaster,
    user,
    write,
)
from tests.program import free_port, until


def test_a_server_started_by_hand_is_joined(data: Path) -> None:
    with postgres.server(data, print) as server:
        write(server.conninfo, 1)
    by_hand(data)
    pid = postmaster(data)
    with postgres.server(data, print) as server:
        assert kept(server.conninfo) == [1]
        assert postmaster(data) == pid
    by_hand(data)
    os.kill(postmaster(data), signal.SIGKILL)
    with postgres.server(data, print) as server:
        assert kept(server.conninfo) == [1]


def test_a_server_started_by_hand_without_a_socket_is_joined(data: Path) -> None:
    with postgres.server(data, print) as server:
        write(server.conninfo, 1)
    by_hand(data, port=free_port())
    pid = postmaster(data)
    with postgres.server(data, print) as server:
        assert kept(server.conninfo) == [1]
        assert postmaster(data) == pid


@needs_namespaces
def test_a_server_restarted_by_hand_is_joined_from_another_container(data: Path) -> None:
    """Its options are those of rosterlog, which a restart keeps; the lock is not."""
    with postgres.server(data, print) as server:
        write(server.conninfo, 1)
    found = cluster(data)
    done = found.account.run(found.binaries.folder / "pg_ctl", "restart", "-w", "-D", found.data, "-l", found.log)
    assert done.returncode == 0, done.stderr
    pid = postmaster(data)
    with user(data, *NAMESPACES) as other:
        write(address(other), 2)
        other.communicate("\n", timeout=DEADLINE)
    assert postmaster(data) == pid
    with postgres.server(data, print) as server:
        assert kept(server.conninfo) == [1, 2]


@needs_namespaces
def test_a_server_started_by_hand_in_another_container_is_joined_from_outside_and_inside(data: Path) -> None:
    with postgres.server(data, print) as server:
        write(server.conninfo, 1)
    found = cluster(data)
    options = f"-c listen_addresses= -k {found.home} -p 5999"
    start = f"{found.binaries.folder}/pg_ctl start -w -D {found.data} -l {found.log} -o '{options}' && sleep 600"
    account = [f"--reuid={found.account.uid}", f"--regid={found.account.gid}", "--clear-groups"]
    container = subprocess.Popen(
        [*NAMESPACES, "setpriv", *account, "sh", "-c", start],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/",
    )  # fmt: skip
    try:
        until(lambda: (found.home / ".s.PGSQL.5999").exists())
        with user(data, *NAMESPACES) as other:
            conninfo = address(other)
            assert "5999" in conninfo
            write(conninfo, 2)
        with user(data) as other:
            assert kept(address(other)) == [1, 2]
    finally:
        os.killpg(container.pid, signal.SIGKILL)
        container.wait()
        until(lambda: processes_in(found.data, found.account).postmaster is None)


@needs_namespaces
def test_promise_16_another_container_joins_the_server_and_starts_none(data: Path) -> None:
    with postgres.server(data, print) as server:
        write(server.conninfo, 1)
        pid = postmaster(data)
        with user(data, *NAMESPACES) as other:
            write(address(other), 2)
            other.communicate("\n", timeout=DEADLINE)
        assert postmaster(data) == pid
        assert kept(server.conninfo) == [1, 2]


@needs_namespaces
def test_the_last_user_in_another_container_leaves_the_server_running(data: Path) -> None:
    with user(data) as first:
        conninfo = address(first)
        with user(data, *NAMESPACES) as other:
            address(other)
            first.kill()
            first.wait()
            printed, _ = other.communicate("\n", timeout=DEADLINE)
        assert "goes on running" in printed
        write(conninfo, 1)
    with postgres.server(data, print) as server:
        assert kept(server.conninfo) == [1]


@needs_namespaces
def test_a_container_that_was_killed_leaves_its_folder_to_the_next_one(data: Path) -> None:
    """Its pid file names a process that no other container can look for."""
    with user(data, *NAMESPACES) as first:
        write(address(first), 1)
        for inside in psutil.Process(first.pid).children():
            inside.kill()
    until(lambda: not is_held(cluster(data).lock))
    assert (cluster(data).data / "postmaster.pid").exists()
    with user(data, *NAMESPACES) as second:
        assert kept(address(second)) == [1]
        second.communicate("\n", timeout=DEADLINE)
