"""Promise 16: a data folder has one PostgreSQL, never two, whatever was left behind in it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from ingest import postgres
from ingest.postgres.locks import is_held
from ingest.postgres.processes import processes_in
from ingest.postgres.running import running
from tests import DEADLINE
from tests.owned_folder import (
    USER,
    address,
    cluster,
    kept,
    postmaster,
    user,
    write,
)
from tests.program import until


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_the_number_of_another_process_in_a_pid_file_hinders_no_start(data: Path, *, kill: bool) -> None:
    with user(data) as first:
        write(address(first), 1)
        found, running_now = cluster(data), running(cluster(data))
        assert running_now is not None
        if kill:
            os.kill(postmaster(data), signal.SIGKILL)
            first.kill()
        else:
            first.communicate("\n", timeout=DEADLINE)
    until(lambda: not is_held(found.lock))
    with subprocess.Popen(["sleep", "600"], user=found.account.uid, group=found.account.gid) as innocent:
        try:
            number = f"{innocent.pid}\n"
            pid_file = found.data / "postmaster.pid"
            lines = f"{number}{found.data}\n1\n{running_now.port}\n{found.home}\n"
            pid_file.write_text(f"{lines}127.0.0.1\n1 1\nready\n")
            (found.home / f".s.PGSQL.{running_now.port}.lock").write_text(lines)
            with postgres.server(data, print) as server:
                assert kept(server.conninfo) == [1]
            assert innocent.poll() is None
        finally:
            innocent.kill()


def test_a_server_whose_socket_is_deleted_is_reached_by_tcp(data: Path) -> None:
    with postgres.server(data, print) as server:
        write(server.conninfo, 1)
        for left in cluster(data).home.glob(".s.PGSQL.*"):
            left.unlink()
        assert kept(server.conninfo) == [1]
        with user(data) as other:
            assert kept(address(other)) == [1]


def test_a_folder_that_is_moved_while_its_server_runs_has_the_same_server(data: Path) -> None:
    moved = data.with_name("moved")
    with user(data) as first:
        write(address(first), 1)
        pid = postmaster(data)
        data.rename(moved)
        with postgres.server(moved, print) as server:
            assert kept(server.conninfo) == [1]
            assert postmaster(moved) == pid
            first.kill()


def test_a_copy_of_a_running_folder_gets_a_server_of_its_own(data: Path) -> None:
    """As from a copy of files or a snapshot, with the pid file of the server that goes on."""
    copied = data.with_name("copied")
    with postgres.server(data, print) as server:
        write(server.conninfo, 1)
        found = cluster(data)
        done = found.account.run("/bin/sh", "-c", 'cp -a "$0" "$1"', data, data.with_name("staged"))
        if done.returncode != 0:  # only root may write beside the folder
            subprocess.run(["cp", "-a", data, data.with_name("staged")], check=True)
        data.with_name("staged").rename(copied)
        with postgres.server(copied, print) as second:
            write(second.conninfo, 2)
            assert kept(second.conninfo) == [1, 2]
            assert postmaster(copied) != postmaster(data)
        assert kept(server.conninfo) == [1]


def test_clients_that_say_nothing_are_not_taken_for_the_server(data: Path) -> None:
    """Their processes are named as the first one is until they have said who they are."""
    with postgres.server(data, print) as server:
        pid = int((cluster(data).data / "postmaster.pid").read_text().splitlines()[0])
        port = int(str(conninfo_to_dict(server.conninfo)["port"]))
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
        until(lambda: len(processes_in(cluster(data).data, cluster(data).account).others) >= 5)
        assert postmaster(data) == pid
    for connection in silent:
        connection.close()
    assert running(cluster(data)) is None


FAULTS = {
    "no locks at all": "raise OSError(37, 'No locks available')",
    "locks that keep nobody out": "return None",
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_file_system_without_working_locks_is_refused(data: Path, fault: str) -> None:
    program = f"import fcntl\ndef flock(*_):\n    {fault}\nfcntl.flock = flock\n{USER}"
    done = subprocess.run(
        [sys.executable, "-c", program, str(data)], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert "has no locks that work" in done.stderr.splitlines()[-1]
    assert not (data / "postgres").exists()


@pytest.mark.slow
def test_many_that_start_at_once_share_one_server(data: Path) -> None:
    for _ in range(3):
        with user(data) as a, user(data) as b, user(data) as c, user(data) as d:
            assert len({address(process) for process in (a, b, c, d)}) == 1
            for process in (a, b, c, d):
                process.communicate("\n", timeout=DEADLINE)
        assert running(cluster(data)) is None
