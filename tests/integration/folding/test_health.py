"""What needs a person is said with the next step, and a worker that is missing makes the roster's server unready."""

import psycopg
import pytest
from sqlalchemy import Engine

from projections.folding.health import Health, in_words, read_health
from projections.folding.heartbeat import Heartbeat, last_seen
from projections.folding.needs import needs
from projections.folding.status import longest_behind, read_folded
from projections.folding.tries import run_once
from projections.rebuild.swap import swap
from tests import model
from tests.api_client import get
from tests.fold_all import PARTICIPANTS, PROJECTIONS, build_anew, drain, query


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
    assert health(engine).seconds_behind >= 300


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
    assert (code, "workers (none was seen for 3" in why) == (503, True)
    Heartbeat().note(worker_engine, None)
    assert readiness(database) == (200, "")
    assert len(query(database, "select * from worker_seen")) == 2


def test_a_worker_writes_down_once_a_second_that_it_is_there_and_what_it_works_on(
    database: str, worker_engine: Engine
) -> None:
    heartbeat = Heartbeat()
    heartbeat.note(worker_engine, "first")
    heartbeat.note(worker_engine, "too soon")
    [(before, working_on)] = query(database, "select seen_at, working_on from worker_seen")
    assert working_on == "first"
    heartbeat._noted_at = float("-inf")
    heartbeat.note(worker_engine, "later")
    [(after, working_on)] = query(database, "select seen_at, working_on from worker_seen")
    assert (after > before, working_on) == (True, "later")


def test_the_worker_that_was_seen_last_is_told_and_those_of_days_ago_are_forgotten(
    database: str, worker_engine: Engine
) -> None:
    with psycopg.connect(database) as connection:
        connection.cursor().executemany(
            "insert into worker_seen (worker, host, pid, version, seen_at) "
            "values (%s, 'h', 1, 'v', now() - %s::interval)",
            [("of today", "23 hours"), ("of an hour ago", "1 hour"), ("gone", "25 hours")],
        )
    with worker_engine.connect() as connection:
        seen = last_seen(connection)
    assert seen is not None
    assert seen.worker == "of an hour ago"
    Heartbeat().note(worker_engine, None)
    assert len(query(database, "select * from worker_seen")) == 3
    assert query(database, "select * from worker_seen where worker = 'gone'") == []


def test_what_arrived_is_counted_by_the_hour(database: str, engine: Engine) -> None:
    model.append(database, [model.body(number) for number in range(3)])
    with psycopg.connect(database) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("update event_log set received_at = now() - interval '2 hours' where position = 1")
    [source] = health(engine).sources
    [(newest,)] = query(database, "select received_at from event_log where position = 3")
    assert (source.stored_last_hour, source.last_received_at) == (2, newest)


def test_what_came_for_a_source_that_nobody_knows_is_told_by_itself(database: str, engine: Engine) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("select count_refused('', 'unknown_source', now(), 7, now())")
    assert health(engine).unknown.last_hour == 7
    assert [source.refused.last_hour for source in health(engine).sources] == [0]


def test_only_programs_of_rosterlog_on_this_database_make_it_used(database: str, engine: Engine) -> None:
    with (
        psycopg.connect(database, dbname="postgres", application_name="rosterlog"),
        psycopg.connect(database, application_name="psql"),
    ):
        assert not health(engine).is_used
    with psycopg.connect(database, application_name="rosterlog"):
        assert health(engine).is_used


def test_a_replica_takes_no_writes_whatever_its_settings(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("create function pg_is_in_recovery() returns bool language sql return true")
        connection.exec_driver_sql("set local search_path = public, pg_catalog")
        assert read_health(connection, PROJECTIONS, ()).is_read_only
        connection.rollback()


def test_the_slowest_projection_says_how_far_a_source_is_behind(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    model.append(database, [model.body(1)])
    assert health(engine).answer_seconds > 0
    age(database, 1)
    assert run_once(worker_engine, PARTICIPANTS, "movemint", 10) == 1
    [source] = health(engine).sources
    assert (source.status.lag, 300 <= source.seconds_behind < 3_000, source.missing) == (1, True, None)
    assert source.status.checkpoints == {"participants": 1, "registrations": 0}


def test_a_hole_is_told_whichever_projection_stands_before_it(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    for source, projections in (("autumn", PROJECTIONS), ("spring", PROJECTIONS[::-1])):
        model.append(database, [model.body(number) for number in range(4)], source)
        for projection, limit in zip(projections, (1, 2), strict=True):
            assert run_once(worker_engine, projection, source, limit) == limit
    with psycopg.connect(database) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("delete from event_log where position = 3")
    assert {each.status.source: each.missing for each in health(engine).sources} == {
        "autumn": 3, "movemint": None, "spring": 3,
    }  # fmt: skip


def test_a_log_that_lost_its_end_lacks_a_position_and_is_not_ahead_of_itself(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    model.append(database, [model.body(number) for number in range(4)])
    drain(worker_engine)
    with psycopg.connect(database) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("delete from event_log where position > 2")
    found = health(engine)
    [source] = found.sources
    assert (source.status.lag, source.missing) == (0, 3)
    assert [sentence for sentence in needs(found) if "the log has no position 3" in sentence]


def test_how_far_is_of_the_live_builds_and_of_the_projections_that_were_asked_for(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    with engine.connect() as connection:
        assert longest_behind(connection, PROJECTIONS) is None
    for source in ("movemint", "spring"):
        model.append(database, [model.body(1)], source)
        drain(worker_engine, source)
    swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)
    with engine.connect() as connection:
        assert longest_behind(connection, PROJECTIONS) is None
        folded = read_folded(connection, [PARTICIPANTS])
    assert [(each.projection, each.source, each.position) for each in folded] == [
        ("participants", "movemint", 1), ("participants", "spring", 1),
    ]  # fmt: skip
    for source in ("movemint", "spring"):
        model.append(database, [model.body(2), model.body(3)], source)
    age(database, 3, "spring")
    with engine.connect() as connection:
        longest = longest_behind(connection, PROJECTIONS)
    assert longest is not None
    assert longest.seconds < 300, "the oldest is asked for, not the newest"
    age(database, 2, "spring")
    with engine.connect() as connection:
        longest = longest_behind(connection, PROJECTIONS)
    assert longest is not None
    assert (longest.source, longest.seconds >= 300) == ("spring", True)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"), (172_800, "2 d")],
)
def test_a_length_of_time_is_told_in_the_unit_that_a_person_would_take(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
