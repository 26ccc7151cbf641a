"""Whether `up` is ready: no event may wait for long, whatever its worker says of itself."""

from types import SimpleNamespace
from typing import cast

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine

from ingest.database import sync_engine
from projections.up.machine import _behind, _Machine
from tests import model
from tests.fold_all import PROJECTIONS, drain


def behind(engine: Engine) -> str | None:
    return _behind(cast("_Machine", SimpleNamespace(engine=engine, projections=PROJECTIONS)))


def test_an_event_that_waits_makes_up_unready_and_a_database_that_is_away_is_for_others_to_tell(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    assert behind(engine) is None
    model.append(database, [model.body(1)])
    assert behind(engine) is None, "it has only just arrived"
    with psycopg.connect(database) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("update event_log set received_at = now() - interval '20 seconds'")
    said = behind(engine)
    assert said is not None
    assert "of movemint is 2" in said
    assert said.endswith(" s behind the log")
    drain(worker_engine)
    assert behind(engine) is None
    away = sync_engine(make_conninfo(database, host="127.0.0.1", port="1"))
    assert behind(away) is None
