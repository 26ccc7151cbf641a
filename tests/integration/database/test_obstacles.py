"""What stands in the way of a start or a stop is one clear line; whether a server answers is known for certain."""

from dataclasses import replace
from pathlib import Path

import pytest

from ingest import postgres
from ingest.postgres.home import Cluster
from ingest.postgres.locks import is_held
from ingest.postgres.running import answers, running
from tests.owned_folder import cluster, kept, postmaster, write
from tests.program import until


@pytest.mark.parametrize("name", ["data/postmaster.pid", "data/rosterlog.lock", "port", "password", "../start.lock"])
def test_a_folder_where_a_file_belongs_is_named(data: Path, name: str) -> None:
    with postgres.server(data, print) as server:
        write(server.conninfo, 1)
    file = data / "postgres" / name
    aside = file.with_name("aside")
    if file.exists():
        file.rename(aside)
    file.mkdir()
    with pytest.raises(postgres.EmbeddedPostgresError, match=file.name) as error, postgres.server(data, print):
        pass
    assert "\n" not in str(error.value)
    file.rmdir()
    if aside.exists():
        aside.rename(file)
    with postgres.server(data, print) as server:
        assert kept(server.conninfo) == [1]


def test_a_lock_that_cannot_be_opened_leaves_no_server_running(data: Path) -> None:
    said: list[str] = []
    with postgres.server(data, said.append):
        found = cluster(data)
        (data / "start.lock").unlink()
        (data / "start.lock").mkdir()
    assert running(found) is None
    assert not is_held(found.lock)
    assert [line for line in said if "start.lock cannot be opened" in line]


def test_a_server_that_refuses_one_connection_has_answered_and_one_that_refuses_all_has_not(data: Path) -> None:
    """By what it says before it knows who asks: as when it recovers, in whichever words and languages."""
    with postgres.server(data, print):
        found = cluster(data)
        server = running(found)
        assert server is not None
        assert answers(found, server)
        (found.home / "password").rename(found.home / "aside")
        (found.home / "password").write_text("wrong")
        assert answers(found, server)
        (found.home / "aside").rename(found.home / "password")
    _start_closed(found)
    until(lambda: (server := running(found)) and server.status != "starting")
    server = running(found)
    assert server is not None
    assert not answers(found, replace(server, sockets=found.home))
    found.account.run("/bin/kill", "-QUIT", str(postmaster(data)))
    until(lambda: running(found) is None)


def _start_closed(found: Cluster) -> None:
    """Start it as a standby that takes no connection."""
    signal_file = found.data / "standby.signal"
    signal_file.touch()
    found.account.own(signal_file)
    options = f"-c listen_addresses= -c hot_standby=off -c unix_socket_directories={found.home} -p 5998"
    done = found.account.run(
        found.binaries.folder / "pg_ctl", "start", "-W", "-D", found.data, "-l", found.log, "-o", options
    )
    assert done.returncode == 0, done.stderr
