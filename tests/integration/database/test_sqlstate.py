"""What an error of the driver means, shown on errors that PostgreSQL really raises."""

import logging

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from ingest.database import sync_engine
from ingest.logs import JsonLines
from ingest.sqlstate import (
    DriverError,
    blames_the_data,
    constraint,
    dependents,
    error_fields,
    is_away,
    is_blocked,
    is_cancelled,
    unusable,
)

TWICE = 'duplicate key value violates unique constraint "kept_key"'
TIMEOUT = "canceling statement due to statement timeout"
TABLE = "create table kept (number integer constraint kept_key unique); create view seen as select * from kept"


def error_of(engine: Engine, *statements: str) -> DriverError:
    try:
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
    except DBAPIError as error:
        return error
    pytest.fail(f"{statements[-1]} raised no error of the driver")


@pytest.mark.parametrize(
    ("statement", "blamed"),
    [
        ("select 'x'::integer", True),
        ("insert into kept values (1), (1)", True),
        ("do $$ begin raise exception 'a trigger of the owner'; end $$", True),
        ("select repeat('x', 3000)::bytea from nowhere", False),
        ("select pg_terminate_backend(pg_backend_pid())", False),
    ],
)
def test_only_what_was_given_is_blamed(engine: Engine, statement: str, *, blamed: bool) -> None:
    with engine.begin() as connection:
        connection.execute(text(TABLE))
    assert blames_the_data(error_of(engine, statement)) is blamed


def test_a_value_that_the_driver_itself_refuses_is_blamed(database: str) -> None:
    with psycopg.connect(database) as connection, pytest.raises(psycopg.DataError) as caught:
        connection.execute("select %s", ["\x00"])
    assert blames_the_data(caught.value)


def test_a_database_that_is_not_there_is_away_and_a_wrong_statement_is_not(database: str, engine: Engine) -> None:
    elsewhere = sync_engine(make_conninfo(database, dbname="nowhere"))
    assert is_away(error_of(elsewhere, "select 1"))
    assert is_away(error_of(engine, "select pg_terminate_backend(pg_backend_pid())"))
    assert not is_away(error_of(engine, "select 1 / 0"))


def test_locks_and_time_outs_are_told_apart(database: str, engine: Engine) -> None:
    with psycopg.connect(database) as other:
        other.execute("lock table api_token in exclusive mode")
        blocked = error_of(engine, "lock table api_token in exclusive mode nowait")
    slow = error_of(engine, "set statement_timeout = '10ms'", "select pg_sleep(30)")
    assert (is_blocked(blocked), is_cancelled(blocked)) == (True, False)
    assert (is_blocked(slow), is_cancelled(slow)) == (False, True)


def test_what_stands_in_the_way_is_named(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text(TABLE))
    assert dependents(error_of(engine, "drop table kept")) == "view seen depends on table kept"
    assert dependents(error_of(engine, "drop table nowhere")) is None
    assert constraint(error_of(engine, "insert into kept values (1), (1)")) == "kept_key"
    assert constraint(error_of(engine, "select 1 / 0")) is None


def logged(error: DriverError) -> str:
    """The line of a log with the traceback of an error."""
    record = logging.LogRecord("ingest", logging.ERROR, "", 1, "it failed", None, (type(error), error, None))
    return JsonLines().format(record).replace("\\", "")


@pytest.mark.parametrize(
    ("statements", "state", "message"),
    [
        (["insert into kept values (4711), (4711)"], "23505", TWICE),
        (["select canary from kept"], "42703", 'column "canary" does not exist'),
        (["set statement_timeout = '10ms'", "select pg_sleep(30)"], "57014", TIMEOUT),
        (["select '4711 canary'::integer"], "22P02", None),
        (["select '2026-47-11'::date"], "22008", None),
        (["do $$ begin raise exception '4711 canary'; end $$"], "P0001", None),
        (["do $$ begin raise exception '4711 canary' using errcode = 'XX000'; end $$"], "XX000", None),
        (["do $$ begin raise exception using message = 'no', detail = '4711', hint = '4711'; end $$"], "P0001", None),
    ],
)  # fmt: skip
def test_a_log_says_of_an_error_what_the_server_said_and_nothing_of_a_row(
    engine: Engine, statements: list[str], state: str, message: str | None
) -> None:
    with engine.begin() as connection:
        connection.execute(text(TABLE))
    error = error_of(engine, *statements)
    fields = error_fields(error)
    assert (fields["sqlstate"], fields["message"]) == (state, message)
    line = logged(error)
    assert f"{fields['error']} {state}" in line
    assert message is None or message in line
    for value in ("4711", "2026-47-11", *(["canary"] if message is None else [])):
        assert value not in f"{fields} {line}"


def test_a_log_says_of_a_lost_connection_what_the_driver_said(database: str) -> None:
    elsewhere = sync_engine(make_conninfo(database, dbname="nowhere"))
    fields = error_fields(error_of(elsewhere, "select 1"))
    assert (fields["error"], fields["sqlstate"]) == ("OperationalError", None)
    assert 'database "nowhere" does not exist' in str(fields["message"])


@pytest.mark.parametrize(
    ("said", "what_to_do"),
    [
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "u"', "allows no such connection"),
        ("FATAL:  sorry, too many clients already", "takes no more connections"),
        ("FATAL:  remaining connection slots are reserved", "takes no more connections"),
        ("failed to resolve host 'nowhere': [Errno -2]", "is not known here"),
        ("SSL error: certificate verify failed", "is not trusted"),
        ('root certificate file "/nowhere/root.crt" does not exist', "see sslmode and sslrootcert"),
        ('FATAL:  certificate authentication failed for user "u"', "are the user and the password right?"),
    ],
)
def test_a_server_that_refuses_connections_is_told_with_what_to_do(said: str, what_to_do: str) -> None:
    """There is no session, and so no SQLSTATE; a server cannot be brought to say each of them in a test."""
    assert what_to_do in str(unusable(psycopg.OperationalError(f"connection failed: {said}")))
