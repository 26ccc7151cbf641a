"""Promise 16: nothing waits for ever on a database that was cut off, changed or stopped, and all goes on by itself."""

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests import model
from tests.program import deliver, environ, free_port, get, run, running, status_json, status_of, until
from tests.proxy import Proxy

pytestmark = pytest.mark.acceptance

APPEND = "append_events(text, bytea[], text[], text[], text[])"
SECRET = {"MOVEMINT_WEBHOOK_SECRET": model.SECRET.decode()}


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    with Proxy(database).running() as proxy:
        yield proxy


@contextmanager
def serving(conninfo: str) -> Iterator[tuple[int, str]]:
    """The server as its users run it: its port, and a token."""
    env = environ(DATABASE_URL=conninfo, **SECRET)
    token = run("token", "create", "t", env=env).strip().splitlines()[-1]
    port = free_port()
    with running("serve", "--port", str(port), env=env):
        until(lambda: status_of(port, "/readyz") == 200)
        yield port, token


def answered(port: int, content: bytes) -> int:
    """The status of a delivery; 0 if the server does not answer."""
    with suppress(OSError, http.client.HTTPException):
        return deliver(port, content)[0]
    return 0


def seconds(action: Callable[[], object]) -> float:
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


@pytest.mark.slow
def test_promise_16_a_database_that_swallows_is_given_up_and_taken_again(proxy: Proxy) -> None:
    """As a firewall that forgot the connections does: they stay open, and only new ones work afterwards."""
    with serving(proxy.conninfo) as (port, token):
        assert answered(port, model.body(1)) == 200
        assert get(port, "/v1/participants", token)[0] == 200
        proxy.swallows = True
        assert answered(port, model.body(2)) == 503
        until(lambda: status_of(port, "/readyz") == 503)
        assert get(port, "/v1/participants", token)[0] == 503
        proxy.swallows = False
        until(lambda: answered(port, model.body(2)) == 200)
        until(lambda: get(port, "/v1/participants", token)[0] == 200)
        until(lambda: status_of(port, "/readyz") == 200)


@pytest.mark.slow
def test_promise_16_every_answer_comes_within_its_bound_when_each_of_the_databases_takes_five_seconds(
    proxy: Proxy,
) -> None:
    """The bounds of docs/reliability.md. They are time-outs, which a busy machine makes no longer by much."""
    with serving(proxy.conninfo) as (port, token):
        assert answered(port, model.body(1)) == 200
        proxy.delay = 5.0
        statuses: dict[str, int] = {}

        def ask(name: str, action: Callable[[], int]) -> float:
            return seconds(lambda: statuses.__setitem__(name, action()))

        assert ask("webhook", lambda: answered(port, model.body(2))) < 5.0 + GENEROUS
        assert ask("readyz", lambda: status_of(port, "/readyz")) < 2.0 + GENEROUS
        assert ask("roster", lambda: get(port, "/v1/participants", token)[0]) < 20.0 + GENEROUS
        assert statuses == {"webhook": 503, "readyz": 503, "roster": 503}
        proxy.delay = 0.0
        until(lambda: answered(port, model.body(2)) == 200)
        until(lambda: status_of(port, "/readyz") == 200)


GENEROUS = 15.0  # seconds

DEFAULTS = (
    "default_transaction_read_only = on",  # as after a fail-over or a full disk
    "default_transaction_isolation = 'repeatable read'",
    "statement_timeout = '50ms'",
    "lock_timeout = '1ms'",
    "idle_in_transaction_session_timeout = '50ms'",
    "idle_session_timeout = '50ms'",
    "datestyle = 'SQL, DMY'",
    "timezone = 'Asia/Kathmandu'",
    "search_path = pg_catalog",
    "bytea_output = 'escape'",
    "synchronous_commit = off",
)


def test_promise_16_no_default_of_the_database_changes_what_is_done(database: str) -> None:
    name = str(conninfo_to_dict(database)["dbname"])
    with psycopg.connect(database, autocommit=True) as connection:
        for setting in DEFAULTS:
            connection.execute(f"alter database {name} set {setting}".encode())
    with serving(database) as (port, token), running("worker", env=environ(DATABASE_URL=database)):
        assert answered(port, model.body(1)) == 200
        assert answered(port, b"\x00 not text \xff") == 200
        until(lambda: len(get(port, "/v1/participants?min_position=2", token)[2].get("data", [])) == 1)
        env = environ(DATABASE_URL=database)
        run("verify", env=env)
        run("rebuild", "--yes", env=env)
        assert status_json(environ(DATABASE_URL=database, **SECRET))["sources"][0]["head"] == 2
        assert "participant_id" in run("export", "participants", "--format", "csv", env=env)
        assert get_raw(port, "/v1/participants.xlsx", token) == 200


def get_raw(port: int, path: str, token: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_promise_16_a_session_that_was_refused_is_not_used_again(database: str) -> None:
    """A server that was made read-only for a while: the kept sessions must not refuse for ever."""
    name = str(conninfo_to_dict(database)["dbname"])
    with serving(database) as (port, _), psycopg.connect(database, autocommit=True) as connection:
        assert answered(port, model.body(1)) == 200
        connection.execute(
            "revoke execute on function append_events(text,bytea[],text[],text[],text[]) from rosterlog_ingest"
        )
        until(lambda: answered(port, model.body(2)) == 503)
        kept = set(sessions(connection, name))
        connection.execute(
            "grant execute on function append_events(text,bytea[],text[],text[],text[]) to rosterlog_ingest"
        )
        until(lambda: answered(port, model.body(2)) == 200)
        assert not kept & set(sessions(connection, name))


def sessions(connection: psycopg.Connection[tuple[int]], name: str) -> list[int]:
    """The sessions that append."""
    query = "select pid from pg_stat_activity where datname = %s and query like '%%append_events(%%' and pid <> %s"
    return [row[0] for row in connection.execute(query, [name, connection.info.backend_pid])]


def test_promise_16_a_worker_reconnects_by_itself(proxy: Proxy, database: str) -> None:
    with running("worker", env=environ(DATABASE_URL=proxy.conninfo)) as worker:
        worker.line("ready")
        model.append(database, [model.body(1)])
        until(lambda: len(model.stored_roster(database)) == 1)
        faults: list[Callable[[], None]] = [proxy.cut, lambda: end_workers(database)]
        for number, fault in enumerate(faults, 2):
            fault()
            model.append(database, [model.body(number)])
            until(lambda: len(model.stored_roster(database)) == number)  # noqa: B023 - called within the loop
        proxy.refuses = True
        proxy.cut()
        model.append(database, [model.body(4)])
        worker.line("the log cannot be read")
        proxy.refuses = False
        until(lambda: len(model.stored_roster(database)) == 4)
        assert worker.process.poll() is None


def end_workers(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
