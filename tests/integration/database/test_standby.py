"""A real standby: sessions that may also write are to be had there, through a pool, too; they read."""

from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from ingest import postgres
from ingest.database import connect
from ingest.sqlstate import fails_with_any_data, sqlstate, unusable, why_unwritable
from tests.bouncer import bouncer
from tests.standby import standby_of


def test_a_standby_is_read_through_a_pool_and_its_refusal_is_understood(data: Path) -> None:
    with postgres.server(data, print) as primary, standby_of(data, primary.conninfo) as standby:
        with bouncer(standby.conninfo) as pool, closing(connect(pool.address())) as connection:
            assert connection.execute("select pg_is_in_recovery()").fetchone() == (True,)
        with (
            psycopg.connect(standby.conninfo, autocommit=True) as connection,
            pytest.raises(errors.FeatureNotSupported) as refused,
        ):
            connection.execute("begin read write")
    assert sqlstate(refused.value) == "25006"
    assert fails_with_any_data(refused.value)
    assert why_unwritable(refused.value) == "the database is read-only"
    assert "perhaps a replica" in str(unusable(refused.value))
