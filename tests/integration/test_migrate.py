"""Migrations: there and back on an empty and on a filled database, a second run does nothing, and code agrees."""

import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine, text

from ingest.database import WORKER_ROLE, sync_engine
from ingest.migrate import check_migrated, downgrade, migrate
from ingest.sqlstate import DatabaseUnusable
from projections.folding.status import read_projections, read_status
from projections.rebuild.compare import compare
from projections.rebuild.swap import drop, swap
from tests import model
from tests.integration.building import PARTICIPANTS, PROJECTIONS, build_anew, drain, live, query

# Everything of a schema that could differ: columns, constraints, indexes, triggers, functions, privileges.
DUMP = (
    """select table_name, column_name, data_type, is_nullable, column_default, collation_name
       from information_schema.columns where table_schema = 'public' order by 1, 2""",
    """select conname, pg_get_constraintdef(oid) from pg_constraint
       where connamespace = 'public'::regnamespace order by 1, 2""",
    "select indexdef from pg_indexes where schemaname = 'public' order by 1",
    "select tgname, tgenabled from pg_trigger order by 1",
    "select proname, prosrc, proacl::text from pg_proc where pronamespace = 'public'::regnamespace order by 1",
    "select relname, relacl::text from pg_class where relnamespace = 'public'::regnamespace order by 1",
)


@pytest.fixture
def empty(empty_database: str) -> Iterator[Engine]:
    engine = sync_engine(empty_database)
    yield engine
    engine.dispose()


def dump(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for query in DUMP for row in connection.execute(text(query))]


def test_there_and_back_leaves_nothing_and_there_again_is_the_same(empty: Engine) -> None:
    nothing = dump(empty)
    assert migrate(empty) == (None, "0009")
    schema = dump(empty)
    downgrade(empty, "base")
    with empty.begin() as connection:
        connection.execute(text("drop table alembic_version"))
    assert dump(empty) == nothing
    migrate(empty)
    assert dump(empty) == schema


def test_a_second_migrate_does_nothing(empty: Engine) -> None:
    migrate(empty)
    schema = dump(empty)
    assert migrate(empty) == ("0009", "0009")
    assert dump(empty) == schema


def test_each_step_runs_on_a_filled_database_and_keeps_the_log(empty: Engine, empty_database: str) -> None:
    migrate(empty, "0001")
    kept = [model.body(number) for number in range(5)]
    model.append(empty_database, kept)
    for step in ("0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009"):
        migrate(empty, step)
    downgrade(empty, "0001")
    migrate(empty)
    assert model.stored_bodies(empty_database) == kept
    assert model.append(empty_database, [b"next"]) == [(6, True)]


def test_three_at_once_migrate_once(empty: Engine, empty_database: str) -> None:
    command = [sys.executable, "-m", "projections", "migrate"]
    environ = {**os.environ, "DATABASE_URL": empty_database}
    running = [subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    with empty.connect() as connection:
        check_migrated(connection)


def test_a_schema_of_the_users_own_name_is_not_taken_for_ours(empty: Engine, empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        connection.execute("create schema rosterlog")
    migrate(empty)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("set role rosterlog_ingest")
        assert model.append_on(connection, [b"1"]) == [(1, True)]


def test_a_database_that_is_not_migrated_or_newer_is_refused(empty: Engine, empty_database: str) -> None:
    with empty.connect() as connection, pytest.raises(DatabaseUnusable, match="rosterlog migrate"):
        check_migrated(connection)
    migrate(empty)
    with psycopg.connect(empty_database) as other:
        other.execute("update alembic_version set version_num = '9999'")
    with empty.connect() as connection, pytest.raises(DatabaseUnusable, match="newer"):
        check_migrated(connection)
    with pytest.raises(DatabaseUnusable, match="newer"):
        migrate(empty)


def test_a_roster_of_an_older_release_stays_readable_and_asks_for_a_rebuild(empty: Engine, empty_database: str) -> None:
    migrate(empty, "0004")
    model.append(empty_database, [model.body(1, first_name="Zoë"), model.body(2)])
    with psycopg.connect(empty_database) as owner:
        owner.execute(
            "insert into participants (source, participant_id, first_name, first_position, position, received_at, "
            "field_errors, attributes) values ('movemint', '1', 'Zoë', 1, 1, now(), '{}', '{\"id\": 1}')"
        )
        owner.execute("insert into checkpoint (source, projection, position) values ('movemint', 'participants', 1)")
        owner.execute(
            "insert into quarantine (source, projection, position, reason) values ('movemint', 'participants', 9, 'x')"
        )
    migrate(empty)
    assert model.stored_roster(empty_database) == {"1": (1, 1, "Zoë")}
    assert query(empty_database, "select attributes from participants") == [({"id": 1},)]
    worker = sync_engine(empty_database, WORKER_ROLE)
    drain(worker)
    assert set(model.stored_roster(empty_database)) == {"1"}, "it is another definition's"
    with worker.connect() as connection:
        assert [one.needs_rebuild for one in read_projections(connection, PROJECTIONS)] == [True, False]
        assert read_status(connection, PROJECTIONS, ())[0].quarantined == 1
    build, before = build_anew(worker, PARTICIPANTS), live(worker, PARTICIPANTS)
    with worker.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        people, _ = compare(connection, PARTICIPANTS, before, build)
    assert (people.added, people.removed, people.changed, people.later) == (0, 0, 1, 1)
    assert set(people.columns) == {"received_at"}
    swap(worker, PARTICIPANTS, build, 100)
    drain(worker)
    assert set(model.stored_roster(empty_database)) == {"1", "2"}
    assert drop(worker, before)
    worker.dispose()
