"""A real standby: sessions that may also write are to be had there, through a pool, too; they read."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo

from ingest import postgres
from ingest.database import connect
from ingest.sqlstate import fails_with_any_data, sqlstate, unusable, why_unwritable
from tests.bouncer import bouncer
from tests.owned_folder import cluster
from tests.program import free_port, until


@pytest.fixture
def standby(data: Path) -> Iterator[str]:
    """The address of a server that recovers for ever, from a primary that is gone."""
    with postgres.server(data, print) as server:
        found, port = cluster(data), free_port()
        address = make_conninfo(server.conninfo, host="127.0.0.1", port=port)
    (found.data / "standby.signal").touch()
    found.account.own(found.data / "standby.signal")
    pg_ctl = (found.binaries.folder / "pg_ctl", "-D", found.data, "-l", found.log)
    options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories={found.home} -p {port}"
    done = found.account.run(*pg_ctl, "start", "-W", "-o", options)
    assert done.returncode == 0, done.stderr
    try:
        until(lambda: _answers(address))
        yield address
    finally:
        found.account.run(*pg_ctl, "stop", "-m", "immediate")


def test_a_standby_is_read_through_a_pool_and_its_refusal_is_understood(standby: str) -> None:
    with bouncer(standby) as pool, closing(connect(pool.address())) as connection:
        assert connection.execute("select pg_is_in_recovery()").fetchone() == (True,)
    with psycopg.connect(standby, autocommit=True) as connection, pytest.raises(errors.FeatureNotSupported) as refused:
        connection.execute("begin read write")
    assert sqlstate(refused.value) == "25006"
    assert fails_with_any_data(refused.value)
    assert why_unwritable(refused.value) == "the database is read-only"
    assert "perhaps a replica" in str(unusable(refused.value))


def _answers(address: str) -> bool:
    try:
        psycopg.connect(address).close()
    except psycopg.OperationalError:
        return False
    return True
