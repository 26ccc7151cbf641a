"""Promise 16: a data folder has one PostgreSQL, never two, and whatever is left behind, the next start is right."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ingest import postgres
from ingest.postgres.home import Cluster, cluster_in
from ingest.postgres.locks import is_held
from ingest.postgres.processes import processes_in
from ingest.postgres.running import running
from tests import DEADLINE
from tests.program import until

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


@pytest.fixture
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rosterlog-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "data"


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


def by_hand(data: Path, *before: str) -> None:
    """Start PostgreSQL as a person would who knows nothing of rosterlog."""
    found = cluster(data)
    options = f"-c listen_addresses= -c unix_socket_directories={found.home} -p 5999"
    done = found.account.run(
        *before, found.binaries.folder / "pg_ctl", "start", "-w", "-D", found.data, "-l", found.log, "-o", options
    )
    assert done.returncode == 0, done.stderr


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
        number = f"{innocent.pid}\n"
        pid_file = found.data / "postmaster.pid"
        pid_file.write_text(f"{number}{found.data}\n1\n{running_now.port}\n{found.home}\n127.0.0.1\n1 1\nready\n")
        (found.home / f".s.PGSQL.{running_now.port}.lock").write_text(
            f"{number}{found.data}\n1\n{running_now.port}\n{found.home}\n"
        )
        with postgres.server(data, print) as server:
            assert kept(server.conninfo) == [1]
        assert innocent.poll() is None
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


def test_a_server_that_dies_is_started_again_for_a_program_that_serves(data: Path) -> None:
    """Also while a query of the dead server goes on, which PostgreSQL itself would wait for."""
    with postgres.server(data, print) as server, postgres.kept_running(data, print):
        write(server.conninfo, 1)
        computing = psycopg.connect(server.conninfo)
        threading.Thread(target=_compute, args=[computing], daemon=True).start()
        until(lambda: _active(server.conninfo))
        os.kill(postmaster(data), signal.SIGKILL)
        until(lambda: _answers(server.conninfo))
        assert kept(server.conninfo) == [1]


def _compute(connection: psycopg.Connection[tuple[int]]) -> None:
    with pytest.raises(psycopg.Error):
        connection.execute("select count(*) from generate_series(1, 1000000000000)")


def _active(conninfo: str) -> bool:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("select count(*) from pg_stat_activity where query like '%generate_series(1, 1%'")
        return row.fetchone() == (2,)


def _answers(conninfo: str) -> bool:
    try:
        psycopg.connect(make_conninfo(conninfo, connect_timeout=5)).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_subscriber_that_takes_nothing_more_hinders_no_stop(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands for every process of the server that does not end when it is asked to."""
    monkeypatch.setattr("ingest.postgres.cluster._FAST_STOP_SECONDS", 2.0)
    monkeypatch.setattr("ingest.postgres.cluster._STOP_AT_ONCE_SECONDS", 8.0)
    with postgres.server(data, print) as server:
        write(server.conninfo, 1)
        with psycopg.connect(server.conninfo) as connection:
            os.kill(connection.info.backend_pid, signal.SIGSTOP)
        found = cluster(data)
    assert processes_in(found.data, found.account).postmaster is None
    assert not is_held(found.lock)
    with postgres.server(data, print) as server:
        assert kept(server.conninfo) == [1]


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
def test_killed_between_any_two_steps_of_a_start_or_stop_the_next_start_is_right(data: Path) -> None:
    seconds = random.Random(7)
    pause = threading.Event()
    for number in range(12):
        with user(data) as killed:
            if number % 2:
                address(killed)
                assert killed.stdin is not None
                killed.stdin.write("\n")  # it stops the server
                killed.stdin.flush()
                pause.wait(seconds.uniform(0, 0.3))
            else:
                pause.wait(seconds.uniform(0.2, 2.5 if number == 0 else 1.2))
            killed.kill()
        if number % 3 == 2:
            with postgres.server(data, print) as server:
                write(server.conninfo, number)
    with postgres.server(data, print) as server:
        assert kept(server.conninfo) == [2, 5, 8, 11]


@pytest.mark.slow
def test_many_that_start_at_once_share_one_server(data: Path) -> None:
    for _ in range(3):
        with user(data) as a, user(data) as b, user(data) as c, user(data) as d:
            assert len({address(process) for process in (a, b, c, d)}) == 1
            for process in (a, b, c, d):
                process.communicate("\n", timeout=DEADLINE)
        assert running(cluster(data)) is None
