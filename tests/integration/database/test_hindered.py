"""Promise 16: a start that others hinder: a lock that is held, a port that is taken, a server that hangs."""

import fcntl
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ingest import postgres
from ingest.postgres import locks, session
from ingest.postgres.account import account_for
from ingest.postgres.locks import NoLocks, locked, opened, take
from ingest.postgres.running import running
from tests import DEADLINE
from tests.owned_folder import cluster, kept, postmaster, write
from tests.program import until


@pytest.mark.parametrize(
    ("kind", "options", "is_refused"),
    [
        ("nfs4", "rw,local_lock=all", True),
        ("nfs", "rw,local_lock=flock,hard", True),
        ("nfs", "rw,nolock", True),
        ("nfs4", "rw,local_lock=none", False),
        ("ext4", "rw,nolock", False),
    ],
)
def test_a_file_system_whose_locks_are_known_to_one_machine_alone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, options: str, *, is_refused: bool
) -> None:
    device = tmp_path.stat().st_dev
    line = f"36 35 {os.major(device)}:{os.minor(device)} / /data rw,noatime shared:1 - {kind} server:/export {options}"
    other = "21 35 0:99 / /other rw - nfs server:/other rw,nolock"
    monkeypatch.setattr(Path, "read_text", lambda *_: f"{other}\n{line}\n")
    with ExitStack() as stack:
        if is_refused:
            stack.enter_context(pytest.raises(NoLocks, match="NFS without locks between machines"))
        with locked(tmp_path / "start.lock", print):
            assert not is_refused


def test_a_lock_that_another_command_keeps_is_given_up_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_SAY_AFTER", 0.0)
    monkeypatch.setattr(locks, "_GIVE_UP_AFTER", 0.2)
    said: list[str] = []

    def wait() -> None:
        try:
            with locked(tmp_path / "start.lock", said.append):
                pass
        except postgres.EmbeddedPostgresError as error:
            said.append(str(error))

    with opened(tmp_path / "start.lock") as held:
        assert take(held)
        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        waiting.join(DEADLINE)
        assert len(said) == 2
    assert "another rosterlog command, which starts, stops or waits for PostgreSQL" in said[0]
    assert "another rosterlog command has held" in said[1]


@contextmanager
def hanging(data: Path, number: int) -> Iterator[None]:
    """A server of this process number that holds the folder's lock, says that it is ready, and does not answer."""
    found = cluster(data)
    pid_file = found.data / "postmaster.pid"
    pid_file.write_text(f"{number}\n{found.data}\n1\n1\n{found.home}\n\n1 1\nready\n")
    with opened(found.lock) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_promise_16_what_one_command_has_waited_for_in_vain_the_next_does_not_wait_for(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands wait in turn: ten of them would wait ten times as long."""

    lock = data / "start.lock"

    def waits(seconds: float, noted_before: float) -> bool:
        """Whether a command waits by itself, for so long, before it is refused. The last one has noted so then."""
        noted_at = time.time() - noted_before
        os.utime(lock, (noted_at, noted_at))
        monkeypatch.setattr("ingest.postgres.running._ANSWER_SECONDS", seconds)
        with (
            pytest.raises(postgres.EmbeddedPostgresError, match=r"has not answered for \d+ s \(ready\): its log is"),
            postgres.server(data, print),
        ):
            pass
        return abs(lock.stat().st_mtime - noted_at) > 0.001

    with postgres.server(data, print) as server:
        write(server.conninfo, 1)
    with hanging(data, 9_999_998):
        assert waits(0.1, noted_before=0)
        assert not waits(2 * DEADLINE, noted_before=0)
        assert waits(0.1, noted_before=3600), "it may answer again"
    with hanging(data, 9_999_999):
        assert waits(0.1, noted_before=0), "it is another server"
    with postgres.server(data, print) as server:
        assert kept(server.conninfo) == [1]


def test_an_initdb_of_a_killed_start_that_is_still_at_work_hinders_no_start(data: Path) -> None:
    """It goes on writing into its folder, also after that was removed."""
    home, over = data / "postgres", threading.Event()
    for made in (data, home):
        account_for(None).make_folder(made)

    def work() -> None:
        while not over.is_set():
            for name in ("data.new", "data.new-00000000"):
                with suppress(OSError):  # it is being removed
                    (home / name / "base").mkdir(parents=True, exist_ok=True)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        with postgres.server(data, print) as server:
            write(server.conninfo, 1)
            assert kept(server.conninfo) == [1]
    finally:
        over.set()
        thread.join()


def test_a_port_that_is_taken_at_the_last_moment_is_replaced_by_another(data: Path) -> None:
    with ExitStack() as taken:
        with postgres.server(data, print) as server:
            first = int(str(conninfo_to_dict(server.conninfo)["port"]))
        taken.enter_context(socket.create_server(("127.0.0.1", first)))
        said: list[str] = []

        def take_it(line: str) -> None:
            said.append(line)
            if len(said) == 1:
                taken.enter_context(socket.create_server(("127.0.0.1", int(line.split()[-2]))))

        with postgres.server(data, take_it) as server:
            assert conninfo_to_dict(server.conninfo)["port"] == said[1].split()[-2]
    assert [line.startswith(f"port {first} is taken") for line in said] == [True, False]


def test_a_server_that_dies_is_started_at_its_address_whatever_stands_in_the_way(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that stands still while it holds the lock, another program at the port, and what cannot be opened."""
    monkeypatch.setattr(session, "_WATCH_SECONDS", 0.05)
    monkeypatch.setattr(session, "_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(session, "_HELD_UP_SECONDS", 2 * DEADLINE)
    looks: list[Path] = []

    def opened_and_noted(path: Path) -> object:
        looks.append(path)
        return opened(path)

    monkeypatch.setattr(session, "opened", opened_and_noted)
    said: list[str] = []
    lock = data / "start.lock"
    with ExitStack() as stack:
        server = stack.enter_context(postgres.server(data, print))
        stack.enter_context(postgres.kept_running(data, said.append))
        write(server.conninfo, 1)
        port = int(str(conninfo_to_dict(server.conninfo)["port"]))
        by_socket = make_conninfo(server.conninfo, host=str(cluster(data).home))
        with opened(lock) as held:
            assert take(held)
            os.kill(postmaster(data), signal.SIGKILL)
            until(lambda: looks.count(lock) > 3)
            assert said == [], "the command that holds the lock may be about to start it"
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
            monkeypatch.setattr(session, "_HELD_UP_SECONDS", 0.0)
            until(lambda: _kept(by_socket) == [1])
        assert "PostgreSQL has died: starting it again" in said[0]
        lock.rename(data / "aside")
        lock.mkdir()
        os.kill(postmaster(data), signal.SIGKILL)
        until(lambda: any("start.lock cannot be opened" in line and "goes on" in line for line in said))
        lock.rmdir()
        (data / "aside").rename(lock)
        until(lambda: _kept(by_socket) == [1])
    assert running(cluster(data)) is None


def _kept(conninfo: str) -> list[int]:
    try:
        return kept(conninfo)
    except psycopg.OperationalError:
        return []
