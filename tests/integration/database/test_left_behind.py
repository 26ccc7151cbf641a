"""Promise 16: what a server has left behind that rosterlog did not start is cleared only where it is dead for sure."""

import ctypes
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ingest import postgres
from ingest.postgres.locks import is_held
from ingest.postgres.running import running
from tests import DEADLINE
from tests.owned_folder import NAMESPACES, by_hand, cluster, kept, needs_namespaces, postmaster, user, write
from tests.program import until

_LIBC = ctypes.CDLL(None)
_REMOVE = 0  # the command IPC_RMID
HIDDEN = ("unshare", "--pid", "--fork", "--mount-proc")  # another container that shares this one's shared memory
REFUSED = "may run in another container"


@pytest.fixture(scope="module")
def stopped() -> Iterator[Path]:
    """A data folder whose server is stopped."""
    with tempfile.TemporaryDirectory(prefix="rosterlog-test-") as folder:
        Path(folder).chmod(0o711)
        with postgres.server(Path(folder) / "data", print) as server:
            write(server.conninfo, 1)
        yield Path(folder) / "data"


@pytest.fixture
def left(stopped: Path) -> Path:
    """The same, with the pid file of a server of which rosterlog knows nothing."""
    return leave(stopped, "1 1")


def leave(data: Path, block: str, sockets: str | None = None) -> Path:
    """Write the pid file of another's server. `block`: key and number of its block of shared memory."""
    found = cluster(data)
    sockets = str(found.home) if sockets is None else sockets
    (found.data / "postmaster.opts").unlink(missing_ok=True)
    (found.data / "postmaster.pid").write_text(f"99\n{found.data}\n1\n5999\n{sockets}\n\n{block}\nready\n")
    return data


def is_refused(data: Path, *before: str) -> bool:
    """Whether a user in that place is told that the server may run elsewhere; else it must have been in."""
    with user(data, *before) as process:
        printed, _ = process.communicate("\n", timeout=DEADLINE)
    assert process.returncode == (REFUSED in printed), printed
    return REFUSED in printed


@needs_namespaces
def test_a_pid_file_is_cleared_only_where_every_process_can_be_seen(left: Path) -> None:
    assert is_refused(left, *NAMESPACES)
    assert (cluster(left).data / "postmaster.pid").exists()
    assert not is_refused(left)


@needs_namespaces
@pytest.mark.parametrize("sockets", ["", "a..b"])
def test_a_pid_file_that_names_no_folder_of_sockets_is_handled_as_any_other(stopped: Path, sockets: str) -> None:
    """As that of a server that has none, or one that a power cut has damaged."""
    leave(stopped, "1 1", sockets)
    assert is_refused(stopped, *NAMESPACES)
    assert not is_refused(stopped)


@needs_namespaces
@pytest.mark.parametrize(("booted", "refused"), [(4_000_000_000, False), (1_000_000_000, True)])
def test_a_pid_file_of_an_earlier_boot_is_cleared(left: Path, tmp_path: Path, booted: int, *, refused: bool) -> None:
    fake = tmp_path / "stat"
    fake.write_text(f"cpu 1\nbtime {booted}\n")
    inside = ("sh", "-c", 'mount --bind "$0" /proc/stat && exec "$@"', str(fake))
    assert is_refused(left, *NAMESPACES, *inside) is refused


@contextmanager
def shared_memory() -> Iterator[tuple[int, int]]:
    """A block of shared memory that nobody uses; its key and its number."""
    key = 0x20_00_00_00 | os.getpid()
    number = _LIBC.shmget(key, 64, 0o1600)  # made, and this user's alone
    assert number >= 0
    try:
        yield key, number
    finally:
        _LIBC.shmctl(number, _REMOVE, None)


@needs_namespaces
def test_a_pid_file_whose_shared_memory_nobody_uses_is_cleared(stopped: Path) -> None:
    attach, detach = _LIBC.shmat, _LIBC.shmdt
    attach.restype = ctypes.c_void_p
    detach.argtypes = [ctypes.c_void_p]
    with shared_memory() as (key, number):
        for block in (f"{key + 1} {number}", f"{key} {number + 1}"):
            assert is_refused(leave(stopped, block), *HIDDEN), "the number is another block's now"
        used = attach(number, None, 0)
        assert is_refused(leave(stopped, f"{key} {number}"), *HIDDEN)
        detach(used)
        assert not is_refused(stopped, *HIDDEN)


def test_the_sockets_of_a_dead_server_are_removed_and_nobody_elses(data: Path, tmp_path: Path) -> None:
    """Ours are in a folder of their own where the data folder's name has a comma, which libpq splits hosts at."""
    data = data.with_name("a, b")
    with postgres.server(data, print) as server:
        write(server.conninfo, 1)
        found = cluster(data)
        dead = running(found)
        assert dead is not None
        assert dead.sockets.parent != data / "postgres"
        os.kill(postmaster(data), signal.SIGKILL)
        until(lambda: not is_held(found.lock))
        with postgres.server(data, print) as again:
            assert kept(again.conninfo) == [1]
            assert not dead.sockets.exists()
            alive = running(found)
            assert alive is not None
            assert alive.sockets.exists()
    assert not alive.sockets.exists(), "a stop takes it away as well"
    foreign = tmp_path / ".s.PGSQL.5999"
    foreign.touch()
    pid_file = found.data / "postmaster.pid"
    gone = tmp_path / "rosterlog-gone"  # as after the machine's temporary files were removed
    for sockets in (tmp_path, gone):
        pid_file.write_text(f"99\n{found.data}\n1\n5999\n{sockets}\n\n1 1\nready\n")
        with postgres.server(data, print):
            assert foreign.exists()


def test_a_process_that_outlived_a_server_started_by_hand_is_ended(data: Path) -> None:
    """PostgreSQL starts again only without it, and such a server has no lock by which it would be noticed."""
    with postgres.server(data, print) as server:
        write(server.conninfo, 1)
    by_hand(data)
    found = cluster(data)
    server_of = running(found)
    assert server_of is not None
    with psycopg.connect(found.conninfo(server_of)) as connection:
        os.kill(connection.info.backend_pid, signal.SIGSTOP)
        os.kill(postmaster(data), signal.SIGKILL)
        until(lambda: running(found) is None)
        with postgres.server(data, print) as again:
            assert kept(again.conninfo) == [1]


@pytest.mark.parametrize("is_killed", [False, True], ids=["stopped", "killed"])
def test_a_program_that_the_server_has_started_keeps_no_lock_after_its_end(data: Path, *, is_killed: bool) -> None:
    with postgres.server(data, print) as server:
        write(server.conninfo, 1)
        with psycopg.connect(server.conninfo, autocommit=True) as connection:
            connection.execute("copy kept from program 'sleep 6000 > /dev/null 2>&1 & echo 2'")
        found = cluster(data)
        if is_killed:
            os.kill(postmaster(data), signal.SIGKILL)
            until(lambda: _is_down(server.conninfo))
            with postgres.server(data, print) as again:
                assert kept(again.conninfo) == [1, 2]
    until(lambda: not is_held(found.lock))


def _is_down(conninfo: str) -> bool:
    try:
        psycopg.connect(conninfo).close()
    except psycopg.OperationalError:
        return True
    return False
