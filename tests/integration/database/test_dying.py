"""Promise 16: a PostgreSQL that dies is started again, and one that does not end is stopped all the same."""

import os
import signal
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ingest import postgres
from ingest.postgres.cluster import stop
from ingest.postgres.home import Cluster
from ingest.postgres.locks import is_held, opened, take
from ingest.postgres.processes import Processes, processes_in
from tests.owned_folder import (
    by_hand,
    cluster,
    kept,
    postmaster,
    write,
)
from tests.program import until


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
    assert not (found.data / "postmaster.pid").exists(), "it has ended by itself, and was not killed"
    assert processes_in(found.data, found.account).postmaster is None
    assert not is_held(found.lock)
    with postgres.server(data, print) as server:
        assert kept(server.conninfo) == [1]


def test_a_server_that_stands_still_hinders_no_stop(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither signal reaches it, so it is killed, and what is left of it as well."""
    monkeypatch.setattr("ingest.postgres.cluster._FAST_STOP_SECONDS", 0.2)
    monkeypatch.setattr("ingest.postgres.cluster._STOP_AT_ONCE_SECONDS", 0.2)
    with postgres.server(data, print) as server:
        write(server.conninfo, 1)
        found = cluster(data)
        os.kill(postmaster(data), signal.SIGSTOP)
    assert processes_in(found.data, found.account).postmaster is None
    assert not is_held(found.lock)
    with postgres.server(data, print) as server:
        assert kept(server.conninfo) == [1]
    by_hand(data)  # such a server holds no lock by which it would be found
    os.kill(postmaster(data), signal.SIGSTOP)
    stop(found, print)
    assert processes_in(found.data, found.account).postmaster is None
    _stops_a_server_that_is_about_to_end(found, monkeypatch)


def _stops_a_server_that_is_about_to_end(found: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its processes have its lock for a moment more, and its number may be nobody's when it is sent a signal."""
    said: list[str] = []
    looks: list[Path] = []

    def held(lock: Path) -> bool:
        looks.append(lock)
        return len(looks) < 5

    with opened(found.lock) as lock:
        assert take(lock)
        monkeypatch.setattr("ingest.postgres.cluster.is_held", held)
        stop(found, said.append)
        assert (said, len(looks)) == ([], 5), "it runs in no other container"
    with subprocess.Popen(["true"]) as ended:
        pass
    monkeypatch.setattr("ingest.postgres.cluster.processes_in", lambda *_: Processes(ended.pid, ()))
    stop(found, said.append)
    assert said == []
