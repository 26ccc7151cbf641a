"""Who may erase, and what else may change (design points 5 and 7): each right and each trigger."""

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from ingest.database import OPERATOR_ROLE, ROLES, WORKER_ROLE, sync_engine
from ingest.log import erase as erasing
from ingest.migrate import migrate
from tests import model
from tests.erased_person import BODIES, LATE, THEIRS, erase, lift, traces
from tests.fold_all import drain, query
from tests.integration.log.test_verify import prove, unguarded


@pytest.mark.parametrize("role", ["rosterlog_ingest", "rosterlog_worker", "rosterlog_api"])
def test_promise_7_only_the_operator_may_erase(database: str, operator: Engine, role: str) -> None:
    model.append(database, BODIES)
    erase(operator)
    [(erasure_id,)] = query(database, "select erasure_id from erasures")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"set role {role}".encode())
        for statement in (
            "select apply_erasure('movemint', '{id}')",
            "insert into erasures (source, subject) values ('movemint', '5')",
            "update erasures set lifted_at = now(), lifted_by = 'x'",
            "update event_log set body = null",
            "delete from erasures",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement.format(id=erasure_id).encode())


def test_promise_7_the_operator_can_change_nothing_but_through_the_door(database: str, operator: Engine) -> None:
    model.append(database, BODIES)
    erase(operator)
    for statement in (
        "update event_log set body = null",
        "delete from event_log",
        "insert into event_log (source) values ('x')",
        "delete from erasures",
        "update erasures set reason = 'another'",
        "delete from participants_build",
    ):
        with operator.connect() as connection, pytest.raises(DBAPIError, match="permission denied"):
            connection.execute(text(statement))


def test_promise_5_a_body_goes_only_where_an_erasure_names_it(database: str, operator: Engine) -> None:
    model.append(database, BODIES)
    erase(operator)
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in (
            "update event_log set body = null where position = 1",
            "update event_log set body = '' where position = 4",
            "update event_log set body = null, subject = null where position = 4",
            "update event_log set body = null",
        ):
            with pytest.raises(errors.RestrictViolation, match="append-only"):
                connection.execute(statement.encode())
            connection.execute("set session_replication_role = replica")
            with pytest.raises(errors.RestrictViolation, match="append-only"):
                connection.execute(statement.encode())
            connection.execute("reset session_replication_role")
        model.append(database, [LATE])
        model.append(database, BODIES, "other")
        model.append(database, [b"no JSON"])  # under no subject, and about nobody
        connection.execute(
            "insert into erasures (source, subject, operator, reason, positions, digests) "
            "select source, 'nobody', 'x', 'y', array[position], array[digest] from event_log where position = 9"
        )
        for event in ("position = 8", "position = 9", "position = 2 and source = 'other'"):
            with pytest.raises(errors.RestrictViolation, match="append-only"):
                connection.execute(f"update event_log set body = null where {event}".encode())


def test_promise_5_without_the_trigger_any_body_can_go(database: str) -> None:
    """The hazard with its guard off."""
    model.append(database, BODIES)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop trigger event_log_body_is_only_erased on event_log")
        assert connection.execute("update event_log set body = null where position = 1").rowcount == 1


def test_promise_7_an_erasure_of_one_person_empties_nobody_elses_bodies(database: str, operator: Engine) -> None:
    model.append(database, BODIES)
    with operator.begin() as connection:
        connection.execute(
            text(
                "insert into erasures (source, subject, operator, reason, positions, digests) "
                "select 'movemint', 'nobody', 'x', 'y', '{6}', array[digest] from event_log where position = 6"
            )
        )
        [erasure] = [recorded.erasure for recorded in erasing.all_erasures(connection)]
        assert erasing.carry_out(connection, "movemint", erasure.erasure_id) == []
    with psycopg.connect(database) as owner, pytest.raises(errors.RestrictViolation):
        owner.execute("update event_log set body = null where position = 6")
    with unguarded(database) as owner:
        owner.execute("update event_log set body = null where position = 6")
    assert [problem.position for problem in prove(operator).problems] == [6]


def test_promise_7_only_rosterlogs_own_tables_are_touched(database: str, operator: Engine) -> None:
    """Somebody else's trigger would run with the owner's rights, and somebody else's table is not ours to empty."""
    model.append(database, BODIES)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table by_number (source text, participant_id bigint)")
        connection.execute("insert into by_number values ('movemint', 7)")
        connection.execute("create table parts (source text, participant_id text) partition by list (source)")
        connection.execute("create table part partition of parts for values in ('movemint')")
        connection.execute("insert into parts values ('movemint', '7'), ('movemint', '5')")
        connection.execute("create role a_stranger")
        connection.execute("create table strange (source text, participant_id text)")
        connection.execute("insert into strange values ('movemint', '7')")
        connection.execute("alter table strange owner to a_stranger")
        assert erase(operator) == THEIRS
        assert query(database, "select participant_id from strange") == [("7",)]
        assert query(database, "select participant_id from by_number") == [(7,)]
        assert query(database, "select participant_id from parts") == [("5",)]
        connection.execute("drop owned by a_stranger")
        connection.execute("drop role a_stranger")


def test_who_asked_stays_as_it_was_written_down(database: str, operator: Engine) -> None:
    model.append(database, BODIES)
    erase(operator)
    [(login,)] = query(database, "select recorded_by from erasures where recorded_at = erased_at")
    assert login == OPERATOR_ROLE
    with psycopg.connect(database, autocommit=True) as owner:
        for change in (
            "update erasures set reason = 'x'", "update erasures set digests = '{}'", "delete from erasures",
            "truncate erasures", "update erasures set recorded_by = 'x'",
        ):  # fmt: skip
            with pytest.raises(errors.RestrictViolation):
                owner.execute(change.encode())


@pytest.mark.parametrize(
    "column", ["source", "position", "received_at", "event_type", "subject", "digest", "signature", "chain", "body"]
)
def test_promise_5_no_column_can_be_changed(database: str, column: str) -> None:
    model.append(database, BODIES)
    with psycopg.connect(database) as connection, pytest.raises(errors.RestrictViolation, match="append-only"):
        connection.execute(f"update event_log set {column} = {column}".encode())


def test_the_function_that_erases_runs_on_its_own_search_path_and_waits_for_some_seconds(database: str) -> None:
    [(settings,)] = query(database, "select proconfig from pg_proc where proname = 'apply_erasure'")
    assert sorted(settings) == ["lock_timeout=15s", "search_path=pg_catalog, public, pg_temp"]


def test_promise_7_an_owner_without_any_other_right_is_enough(empty_database: str) -> None:
    """As on a managed server: the roles are an administrator's, the database is the login's own."""
    with psycopg.connect(empty_database, autocommit=True) as administrator:
        administrator.execute("create role plain_owner login password 'plain'")
        administrator.execute(
            "do $$ begin execute format('alter database %I owner to plain_owner', current_database()); end $$"
        )
        for role in ROLES:
            administrator.execute(f"grant {role} to plain_owner".encode())
    plain = make_conninfo(empty_database, user="plain_owner", password="plain")
    owner, operator, folding = (sync_engine(plain, role) for role in (None, OPERATOR_ROLE, WORKER_ROLE))
    migrate(owner)
    model.append(plain, BODIES)
    drain(folding)
    assert erase(operator) == THEIRS
    assert erasing.sweep(owner) == erasing.Swept([], None)
    assert traces(empty_database, "Unmistakable") == set()
    assert prove(operator).problems == []
    model.append(plain, [LATE])
    drain(folding)
    lift(operator)
    assert "7" in model.stored_roster(plain)
    for engine in (owner, operator, folding):
        engine.dispose()
