"""The embedded PostgreSQL: private, durable, shared by its users, and never taken for what it is not."""

import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ingest import postgres
from ingest.postgres import binaries
from ingest.postgres.account import REACHABLE, Account, account_for
from ingest.postgres.home import cluster_in
from ingest.postgres.running import running
from tests import DEADLINE
from tests.program import until

# Another process that uses the server of a folder until its input ends.
USER = """
import sys
from pathlib import Path
from ingest import postgres

with postgres.server(Path(sys.argv[1]), print):
    print("in", flush=True)
    sys.stdin.readline()
"""
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a space and a comma in its name, which PostgreSQL's own account can enter."""
    with tempfile.TemporaryDirectory(prefix="rosterlog test, ") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def value_of(conninfo: str, query: str) -> object:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None


def test_it_is_durable_private_and_the_same_on_every_host(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("PGDATA", "/nonsense")
    with postgres.server(folder / "data", print) as server:
        for setting, expected in {"data_checksums": "on", "fsync": "on", "synchronous_commit": "on"}.items():
            assert value_of(server.conninfo, f"show {setting}") == expected
        assert value_of(server.conninfo, "select datcollate from pg_database where datname = 'rosterlog'") == "C"
        assert (
            value_of(
                server.conninfo, "select pg_encoding_to_char(encoding) from pg_database where datname = 'rosterlog'"
            )
            == "UTF8"
        )
        assert mode(folder / "data") == mode(Path(str(value_of(server.conninfo, "show data_directory")))) == 0o700
        assert mode(server.password_file) == 0o600
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.address)
        assert (
            value_of(make_conninfo(server.address, password=server.password_file.read_text().strip()), "select 1") == 1
        )
        assert value_of(server.conninfo, "show listen_addresses") == "127.0.0.1"
    assert mode(folder) == 0o711


def test_its_users_share_it_and_the_last_one_stops_it(folder: Path) -> None:
    data = folder / "data"
    with postgres.server(data, print) as first:
        with psycopg.connect(first.conninfo) as connection:
            connection.execute("create table kept (a int)")
        other = subprocess.Popen(
            [sys.executable, "-c", USER, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
    assert value_of(first.conninfo, "select count(*) from kept") == 0
    other.communicate("\n", timeout=DEADLINE)
    stopped = cluster_in(data, print)
    assert running(stopped) is None
    state = stopped.account.run(stopped.binaries.folder / "pg_controldata", stopped.data).stdout
    assert re.search(r"cluster state: +shut down\n", state), "its last checkpoint is written"
    with postgres.server(data, print) as again:
        assert again.address == first.address
        assert value_of(again.conninfo, "select count(*) from kept") == 0


def test_one_left_behind_by_a_killed_user_is_taken_over(folder: Path) -> None:
    data = folder / "data"
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "in\n"
        left = running(cluster_in(data, print))
        killed.kill()
    with postgres.server(data, print):
        assert running(cluster_in(data, print)) == left
    assert running(cluster_in(data, print)) is None


def test_after_a_crash_it_recovers_what_was_committed(folder: Path) -> None:
    data = folder / "data"
    with postgres.server(data, print) as server:
        with psycopg.connect(server.conninfo) as connection:
            connection.execute("create table kept as select generate_series(1, 1000) a")
        postmaster = running(cluster_in(data, print))
        assert postmaster is not None
        os.kill(postmaster.pid, signal.SIGKILL)
        until(lambda: running(cluster_in(data, print)) is None)
    with postgres.server(data, print) as server:
        assert value_of(server.conninfo, "select count(*) from kept") == 1000


def test_a_second_up_is_refused(folder: Path) -> None:
    data = folder / "data"
    refused = pytest.raises(postgres.AlreadyUp, match="running already")
    with postgres.only_up(data), refused, postgres.only_up(data):
        raise AssertionError
    with postgres.only_up(folder / "data"):
        pass


def test_a_folder_of_another_major_version_is_neither_opened_nor_touched(folder: Path) -> None:
    data = folder / "data"
    with postgres.server(data, print):
        pass
    version = data / "postgres" / "data" / "PG_VERSION"
    version.write_text("12\n")
    before = sorted((path, path.stat().st_mtime_ns) for path in (data / "postgres").rglob("*"))
    with pytest.raises(postgres.EmbeddedPostgresError, match="made by PostgreSQL 12"), postgres.server(data, print):
        raise AssertionError
    assert sorted((path, path.stat().st_mtime_ns) for path in (data / "postgres").rglob("*")) == before


def test_a_data_folder_of_somebody_elses_is_refused(folder: Path) -> None:
    (folder / "PG_VERSION").write_text("15\n")
    with pytest.raises(postgres.EmbeddedPostgresError, match="data folder itself"), postgres.server(folder, print):
        raise AssertionError
    assert not (folder / "postgres").exists()


def test_a_stale_pid_file_is_not_a_server(folder: Path) -> None:
    data = folder / "data"
    with postgres.server(data, print):
        pass
    stale = data / "postgres" / "data" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{data}\n1\n5432\n/tmp\n127.0.0.1\n1 1\nready\n")
    assert running(cluster_in(data, print)) is None


def test_a_first_start_that_was_interrupted_is_begun_again(folder: Path) -> None:
    data = folder / "data"
    cluster_in_half = data / "postgres" / "data.new"
    account = account_for(None)
    for made in (data, data / "postgres", cluster_in_half):
        account.make_folder(made)
    with postgres.server(data, print) as server:
        assert value_of(server.conninfo, "select 1") == 1


@pytest.mark.skipif(shutil.which("pg_ctl") is None, reason="no PostgreSQL of the machine's own on the PATH")
def test_any_pg_ctl_on_the_path_serves_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    own = binaries.find_binaries(None)
    with postgres.server(folder / "data", print) as server:
        assert str(value_of(server.conninfo, "show server_version")).split()[0] == own.version
        assert value_of(server.conninfo, "show data_checksums") == "on"
    monkeypatch.undo()
    with postgres.server(folder / "data", print) as server:
        assert str(value_of(server.conninfo, "show server_version")).split()[0] == own.version


@pytest.mark.skipif(not IS_ROOT, reason="only root has to give way to another account")
def test_as_root_it_runs_as_another_account_even_below_a_folder_that_one_cannot_enter() -> None:
    with tempfile.TemporaryDirectory(prefix="rosterlog-private-") as private:
        data = Path(private) / "home" / ".rosterlog"
        said: list[str] = []
        with postgres.server(data, said.append) as server:
            home = Path(str(value_of(server.conninfo, "show data_directory"))).parent
            postmaster = running(cluster_in(data, print))
            assert postmaster is not None
            assert Path(f"/proc/{postmaster.pid}").stat().st_uid != 0
        try:
            assert home.parent == REACHABLE
            assert any(str(home) in line for line in said)
            assert mode(Path(private)) == 0o700
            assert mode(home) == 0o700
            with postgres.server(data, print) as server:
                assert Path(str(value_of(server.conninfo, "show data_directory"))).parent == home
        finally:
            shutil.rmtree(home)


@pytest.mark.skipif(not IS_ROOT, reason="only root can look through another account's eyes")
def test_programs_an_account_cannot_reach_are_copied_where_it_can() -> None:
    account = account_for(None)
    original = binaries.find_binaries(None)
    assert original.reachable_by(Account()) == original
    package = original.folder.parent.parent
    with tempfile.TemporaryDirectory() as private:
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(folder, Path(private) / folder.name)
        hidden = binaries.Binaries(Path(private) / original.folder.relative_to(package.parent), "0.test")
        try:
            installed = hidden.reachable_by(account)
            assert installed.folder.is_relative_to(REACHABLE / "postgresql-0.test")
            for program in ("postgres", "initdb", "pg_ctl", "psql"):
                done = account.run(installed.folder / program, "--version")
                assert done.returncode == 0, done.stderr
            assert mode(Path(private)) == 0o700
        finally:
            shutil.rmtree(REACHABLE / "postgresql-0.test", ignore_errors=True)


def test_without_its_password_it_says_which_file_is_missing(folder: Path) -> None:
    """As after a base backup was put back without it."""
    with postgres.server(folder / "data", print) as server:
        server.password_file.rename(folder / "elsewhere")
        with (
            pytest.raises(postgres.EmbeddedPostgresError, match="password: No such file"),
            postgres.server(folder / "data", print),
        ):
            pass
        (folder / "elsewhere").rename(server.password_file)


@pytest.mark.skipif(not IS_ROOT, reason="only root runs PostgreSQL as another account")
def test_a_folder_put_where_its_account_cannot_enter_is_named(folder: Path) -> None:
    with postgres.server(folder / "data", print):
        pass
    (folder / "data").chmod(0o700)
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    (folder / "data").rename(closed / "data")
    with (
        pytest.raises(postgres.EmbeddedPostgresError, match="which cannot enter"),
        postgres.server(closed / "data", print),
    ):
        pass


@pytest.mark.skipif(not IS_ROOT, reason="only root can own a folder as root")
def test_a_data_folder_of_roots_is_named(folder: Path) -> None:
    with postgres.server(folder / "data", print):
        pass
    os.chown((folder / "data" / "postgres" / "data").resolve(), 0, 0)
    with (
        pytest.raises(postgres.EmbeddedPostgresError, match="belongs to root"),
        postgres.server(folder / "data", print),
    ):
        pass
