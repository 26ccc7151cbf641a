"""Migrations: from nothing, once more, at once; what is refused; and that files, versions and documents agree."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import errors
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine

from ingest import postgres
from ingest.citus import NoCluster, is_distributed
from ingest.database import sync_engine
from ingest.migrate import BeforeFirstRelease, check_migrated, distribute, make_roles, migrate, revisions
from ingest.sqlstate import DatabaseUnusable
from migrations import objects
from migrations.schema import schema
from tests import DEADLINE, HEAD, ROOT, model
from tests.fold_all import query
from tests.program import environ, run

# The functions by which an index or a generated column is computed, and those that they call.
COMPUTES = """
with recursive used as (
  select d.refobjid as oid
  from pg_depend d
  left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
  where d.refclassid = 'pg_proc'::regclass and (c.relkind in ('i', 'I') or d.classid = 'pg_attrdef'::regclass)
  union
  select d.refobjid from used u
  join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = u.oid and d.refclassid = 'pg_proc'::regclass
)
select p.proname, pg_get_functiondef(p.oid)
from used u
join pg_proc p on p.oid = u.oid
where p.pronamespace = 'public'::regnamespace
order by 1
"""
# What a second run could change without a trace in a dump.
MADE = """
select oid::regclass::text, oid, relacl::text from pg_class where relkind in ('v', 'r', 'p', 'i', 'I')
  and relnamespace in ('public'::regnamespace, 'reporting'::regnamespace)
union all
select oid::regprocedure::text, oid, proacl::text from pg_proc
  where pronamespace in ('public'::regnamespace, 'reporting'::regnamespace)
union all
select tgname, oid, tgenabled::text from pg_trigger
order by 1, 2
"""


def test_without_the_engine_nothing_is_distributed_and_the_next_step_is_said(engine: Engine) -> None:
    with pytest.raises(NoCluster, match='run "create extension citus"'):
        distribute(engine)
    with engine.connect() as connection:
        assert not is_distributed(connection)


def test_the_command_asks_for_nodes_before_anything_is_changed(empty_database: str) -> None:
    assert 'run "create extension citus"' in run("migrate", "--citus", env=environ(DATABASE_URL=empty_database), code=2)
    assert query(empty_database, "select to_regclass('event_log')") == [(None,)]


@pytest.fixture
def empty(empty_database: str) -> Iterator[Engine]:
    engine = sync_engine(empty_database)
    yield engine
    engine.dispose()


def test_from_nothing_and_a_second_time_with_the_same_outcome(
    empty: Engine, empty_database: str, server: postgres.Server
) -> None:
    assert migrate(empty) == (None, HEAD)
    before = schema(empty_database, server.programs), query(empty_database, MADE)
    assert migrate(empty) == (HEAD, HEAD)
    assert (schema(empty_database, server.programs), query(empty_database, MADE)) == before


def test_the_revisions_are_those_that_alembic_finds() -> None:
    config = Config(ROOT / "alembic.ini")
    scripts = ScriptDirectory.from_config(config)
    assert revisions() == [script.revision for script in reversed([*scripts.walk_revisions()])]


def test_the_document_of_the_schema_is_the_schema(database: str, server: postgres.Server) -> None:
    documented = (ROOT / "docs" / "schema.sql").read_text(encoding="utf-8")
    if query(database, "select current_setting('server_version_num')::int / 10000") != [(18,)]:
        pytest.skip("pg_dump of another release than the embedded one writes the same schema with other words")
    assert documented == schema(database, server.programs), "run make docs"


def test_the_picture_names_every_table_view_and_function(database: str) -> None:
    picture = (Path(objects.__file__).parent / "sql" / "picture.txt").read_text(encoding="utf-8")
    made = query(
        database,
        "select relname from pg_class where relkind in ('v', 'r', 'p') and relname <> 'alembic_version' "
        "and relnamespace in ('public'::regnamespace, 'reporting'::regnamespace) union "
        "select proname || '()' from pg_proc "
        "where pronamespace in ('public'::regnamespace, 'reporting'::regnamespace)",
    )
    assert {name for (name,) in made} - set(re.findall(r"\w+(?:\(\))?", picture)) == set()


def test_a_second_migrate_waits_for_nobody_and_nobody_for_it(database: str, engine: Engine) -> None:
    """While somebody appends and somebody reads every view; with the guard off, it waits for the reader."""
    views = [name for (name,) in query(database, "select oid::regclass::text from pg_class where relkind = 'v'")]
    with psycopg.connect(database) as appending, psycopg.connect(database) as reading:
        model.append_on(appending, [b"1"])
        for view in views:
            if not view.startswith(("pg_", "information_schema.")):
                reading.execute(f"select from {view} limit 0".encode())
        assert migrate(engine) == (HEAD, HEAD)
        with psycopg.connect(database) as replacing:
            replacing.execute("set lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                replacing.execute(objects.file("roster", "registrations").encode())


def test_what_runs_is_what_the_files_say(database: str, engine: Engine, server: postgres.Server) -> None:
    before = schema(database, server.programs)
    with psycopg.connect(database) as owner:
        owner.execute("create or replace function iso_time(in_moment timestamptz) returns text language sql return 'x'")
        changed = objects.file("roster", "registrations").replace("'registrations'", "'another'")
        owner.execute(changed.encode())
        owner.execute("grant execute on function note_token_use(bytea) to public")
        owner.execute("comment on view reporting.events is 'x'")
        owner.execute("revoke select on participants from rosterlog_api")
    assert schema(database, server.programs) != before
    migrate(engine)
    assert schema(database, server.programs) == before


def test_no_index_is_computed_by_a_function_that_a_file_may_change(database: str) -> None:
    """Another text of such a function would leave wrong indexes behind; the fold writes what they hold."""
    assert query(database, COMPUTES) == []
    with psycopg.connect(database) as owner:
        owner.execute("create function three(in_text text) returns text language sql immutable return left(in_text, 3)")
        owner.execute("create index on participants_build (three(first_name))")
        assert [name for name, _ in owner.execute(COMPUTES.encode()).fetchall()] == ["three"]
        owner.rollback()


def test_three_at_once_migrate_once(empty: Engine, empty_database: str) -> None:
    command = [sys.executable, "-m", "projections", "migrate"]
    env = environ(DATABASE_URL=empty_database)
    running = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=DEADLINE)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    with empty.connect() as connection:
        check_migrated(connection)


def test_a_login_that_is_not_the_owner_leaves_an_up_to_date_database_as_it_is(database: str) -> None:
    """As where services run `up` with a login of their own after an administrator has migrated."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create role app login password 'app'")
        connection.execute("grant rosterlog_ingest, rosterlog_worker, rosterlog_api, rosterlog_operator to app")
        connection.execute("grant select on alembic_version to app")
    app = sync_engine(make_conninfo(database, user="app", password="app"))
    assert migrate(app) == (HEAD, HEAD)
    app.dispose()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop owned by app")
        connection.execute("drop role app")


def test_alembics_own_upgrade_makes_the_functions_too(empty_database: str) -> None:
    """Else a log would stand at the newest revision whose triggers refuse nothing, or everything."""
    program = [sys.executable, "-m", "alembic", "upgrade", "head"]
    subprocess.run(program, env=environ(DATABASE_URL=empty_database), cwd=ROOT, check=True, timeout=DEADLINE)
    assert model.append(empty_database, [b"1"]) == [(1, True)]
    with psycopg.connect(empty_database) as owner, pytest.raises(errors.RestrictViolation, match="append-only"):
        owner.execute("update event_log set event_type = 'x'")


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
        other.execute("update alembic_version set version_num = '9999_later'")
    with empty.connect() as connection, pytest.raises(DatabaseUnusable, match="newer"):
        check_migrated(connection)
    with pytest.raises(DatabaseUnusable, match="newer"):
        migrate(empty)


@pytest.mark.parametrize("revision", ["0001", "0004", "0009"])
def test_a_database_of_before_the_first_release_is_refused_and_left_alone(
    empty: Engine, empty_database: str, server: postgres.Server, revision: str
) -> None:
    with psycopg.connect(empty_database) as owner:
        owner.execute("create table alembic_version (version_num varchar(32) not null primary key)")
        owner.execute("insert into alembic_version values (%s)", [revision])
    before = schema(empty_database, server.programs)
    with empty.connect() as connection, pytest.raises(BeforeFirstRelease, match=rf"at {revision}\b"):
        check_migrated(connection)
    with pytest.raises(BeforeFirstRelease, match="From before the first release"):
        migrate(empty)
    assert schema(empty_database, server.programs) == before
    assert query(empty_database, "table alembic_version") == [(revision,)]


def test_roles_that_report_are_limited_unless_an_administrator_has_said_otherwise(
    empty: Engine, empty_database: str
) -> None:
    limits = (
        "select rolname, setting from pg_roles, unnest(rolconfig) as setting "
        "where rolname ^@ 'rosterlog_reporting' order by 1"
    )

    def made_again() -> list[tuple[object, ...]]:
        with empty.begin() as connection:
            make_roles(connection)
        return query(empty_database, limits)

    both = [(f"rosterlog_reporting{which}", "statement_timeout=60s") for which in ("", "_pii")]
    assert made_again() == both
    with psycopg.connect(empty_database, autocommit=True) as owner:
        owner.execute("alter role rosterlog_reporting set statement_timeout = '5min'")
        assert made_again() == [("rosterlog_reporting", "statement_timeout=5min"), both[1]]
        owner.execute("alter role rosterlog_reporting reset statement_timeout")
    assert made_again() == both
