"""What needs a person is said with the next step, and a worker that is missing makes the roster's server unready."""

import psycopg
import pytest
from sqlalchemy import Engine

from projections.folding.health import Health, read_health
from projections.folding.heartbeat import Heartbeat
from projections.folding.needs import needs
from tests import model
from tests.api_client import get
from tests.fold_all import PROJECTIONS, drain, query


def health(engine: Engine, free_bytes: int | None = None) -> Health:
    with engine.connect() as connection:
        return read_health(connection, PROJECTIONS, ["movemint"], free_bytes)


def age(database: str, position: int, source: str = "movemint") -> None:
    """Let an event have waited for five minutes."""
    with psycopg.connect(database) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute(
            "update event_log set received_at = now() - interval '5 minutes' where position = %s and source = %s",
            [position, source],
        )


def readiness(database: str) -> tuple[int, str]:
    answer = get(database, "/readyz")
    return answer.status_code, answer.json().get("detail", "")


@pytest.mark.parametrize(
    ("free_bytes", "said"),
    [(None, None), (2**33, None), (2**30, "nearly full, 1.0 GB are left"), (10 * 2**20, "is full, 10.0 MB are left")],
)
def test_a_disk_without_room_needs_a_person(engine: Engine, free_bytes: int | None, said: str | None) -> None:
    sentences = [sentence for sentence in needs(health(engine, free_bytes)) if "disk" in sentence]
    assert len(sentences) == (said is not None)
    assert all(said is not None and said in sentence and "make room" in sentence for sentence in sentences)


def test_a_server_that_was_made_read_only_needs_a_person_whatever_our_sessions_set(
    database: str, engine: Engine
) -> None:
    assert not any("read-only" in sentence for sentence in needs(health(engine)))
    engine.dispose()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"alter database {connection.info.dbname} set default_transaction_read_only = on")
    assert any("read-only" in sentence for sentence in needs(health(engine)))


def test_the_age_of_the_lag_is_of_each_source(database: str, engine: Engine, worker_engine: Engine) -> None:
    for source in ("autumn", "movemint", "spring"):
        model.append(database, [model.body(1), model.body(2)], source)
    drain(worker_engine, "spring")
    drain(worker_engine, "autumn")
    model.append(database, [model.body(3)], "spring")
    age(database, 1)
    age(database, 2)
    seconds = {each.status.source: each.seconds_behind for each in health(engine).sources}
    assert (seconds["autumn"], 300 <= seconds["movemint"] < 3_000, 0 < seconds["spring"] < 300) == (0, True, True)
    [said] = [sentence for sentence in needs(health(engine)) if "waits to be folded" in sentence]
    assert said.startswith("movemint: an event waits to be folded for ")


def test_a_roster_without_a_worker_is_not_ready(database: str, worker_engine: Engine) -> None:
    model.append(database, [model.body(1)])
    assert readiness(database) == (200, "")  # it has only just arrived
    age(database, 1)
    code, why = readiness(database)
    assert (code, "workers (none was ever seen, and an event waits for 5 min)" in why) == (503, True)
    drain(worker_engine)
    assert readiness(database) == (200, ""), "nothing waits for a worker"
    Heartbeat().note(worker_engine, None)
    assert readiness(database) == (200, "")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("update worker_seen set seen_at = now() - interval '31 seconds'")
    code, why = readiness(database)
    assert (code, "workers (none was seen for 31 s)" in why or "for 32 s" in why) == (503, True)
    Heartbeat().note(worker_engine, None)
    assert readiness(database) == (200, "")
    assert len(query(database, "select * from worker_seen")) == 2
