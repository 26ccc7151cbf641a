"""Ingest, workers and API through a real PgBouncer in transaction mode, with three sessions for each login.

Transactions of all clients meet in the same few sessions there, so whatever depended on a session would show.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

import psycopg
import pytest

from ingest.connections import Connections
from ingest.database import API_ROLE, INGEST_ROLE, OPERATOR_ROLE, WORKER_ROLE, connect, connect_async
from ingest.driver import AsyncConnection
from ingest.log.append import Connection
from ingest.session import Deadlines
from tests import DEADLINE, model
from tests.bouncer import SESSIONS, Bouncer, bouncer
from tests.fold_all import query
from tests.program import Running, deliver, environ, free_port, get, run, status_of, until
from tests.sender import senders

pytestmark = pytest.mark.acceptance

SECRET = {"MOVEMINT_WEBHOOK_SECRET": model.SECRET.decode()}
BEFORE, AFTER = 100, 100  # deliveries answered before the pool is killed, and after
_BY_LOGIN = """
select usename::text, count(*) from pg_stat_activity
where datname = current_database() and starts_with(usename, 'rosterlog_') group by 1
"""
_HEADS = "select (select max(position) from event_log), min(position), count(*) from checkpoint"


@pytest.fixture
def pool(database: str) -> Iterator[Bouncer]:
    with bouncer(database) as running:
        yield running


@contextmanager
def services(pool: Bouncer) -> Iterator[tuple[int, int]]:
    """An ingest, two workers and an API, each by a login of its own; the ports of ingest and API."""
    ingest, api = free_port(), free_port()
    commands = {
        ("ingest", "--port", str(ingest)): INGEST_ROLE,
        ("api", "--port", str(api)): API_ROLE,
        ("worker",): WORKER_ROLE,
    }
    with ExitStack() as stack:
        for command, role in [*commands.items(), (("worker",), WORKER_ROLE)]:
            program = Running(command, environ(DATABASE_URL=pool.address(role), **SECRET))
            stack.callback(program.stop)
        until(lambda: status_of(ingest, "/readyz/webhook") == 200)
        until(lambda: status_of(api, "/livez") == 200)
        yield ingest, api


@contextmanager
def readers(port: int, token: str, number: int) -> Iterator[Counter[int]]:
    """So many clients that read the roster all the time; gives how often each status was answered."""
    answers: Counter[int] = Counter()
    enough = threading.Event()

    def read() -> None:
        paths = ("/v1/participants?limit=5", "/v1/participants?q=1&sort=last_name", "/v1/status")
        while not enough.is_set():
            for path in paths:
                answers[get(port, path, token)[0]] += 1

    with ThreadPoolExecutor(number) as threads:
        reading = [threads.submit(read) for _ in range(number)]
        try:
            yield answers
        finally:
            enough.set()
        for future in reading:
            future.result(timeout=DEADLINE)


def is_folded(database: str) -> bool:
    [(head, slowest, tracks)] = query(database, _HEADS)
    return bool(tracks == 2 and head == slowest)


def test_through_a_pool_nothing_is_lost_or_doubled_even_if_it_is_killed(database: str, pool: Bouncer) -> None:
    """Every 200 is stored once, at the position that was answered, and the roster is the model's."""
    token = run("token", "create", "reader", env=environ(DATABASE_URL=pool.address())).splitlines()[-1]
    with services(pool) as (ingest, api):
        with senders(ingest, 4) as answered, readers(api, token, 3) as answers:
            until(lambda: len(answered) >= BEFORE and answers[200])
            pool.stop()
            before, read = len(answered), answers[200]
            pool.start()
            until(lambda: len(answered) >= before + AFTER and answers[200] > read)
            sessions = dict(query(database, _BY_LOGIN))
        again = {content: deliver(ingest, content) for content in [*answered][:: len(answered) // 10]}
        until(lambda: is_folded(database))
    log = model.stored_bodies(database)
    assert len(set(log)) == len(log)
    assert {content: log.index(content) + 1 for content in answered} == answered
    assert all(answer[1]["status"] == "duplicate" for answer in again.values())
    assert model.stored_roster(database) == model.roster(log)
    assert {status for status in answers if status not in (200, 503)} == set()
    assert sessions.keys() == {INGEST_ROLE, API_ROLE, WORKER_ROLE}
    assert max(sessions.values()) <= SESSIONS
    direct = environ(DATABASE_URL=pool.address(), ROSTERLOG_DIRECT_DATABASE_URL=database)
    assert f"{len(log)} events" in run("verify", env=direct)


def _shown(connection: psycopg.Connection[tuple[str, ...]]) -> tuple[str, ...]:
    row = connection.execute(
        "select current_user, current_setting('statement_timeout'), current_setting('search_path'), "
        "current_setting('transaction_read_only'), current_setting('timezone'), pg_backend_pid()::text"
    ).fetchone()
    assert row is not None
    return row


def test_transactions_in_one_session_have_their_own_settings_and_leave_none(database: str) -> None:
    """Also with one login for all, whose role each transaction takes anew."""
    with psycopg.connect(database, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set search_path = 'pg_catalog'".encode())
        connection.execute(f"alter database {name} set timezone = 'Asia/Kathmandu'".encode())
        connection.execute(f"alter database {name} set default_transaction_isolation = 'serializable'".encode())
    with bouncer(database) as pool, ExitStack() as stack:
        address = pool.address()
        worker = stack.enter_context(closing(connect(address, WORKER_ROLE, Deadlines(3, 4))))
        reader = stack.enter_context(closing(connect(address, API_ROLE, Deadlines(7, 8), read_only=True)))
        stranger = stack.enter_context(closing(psycopg.connect(address, autocommit=True, prepare_threshold=None)))
        seen = set()
        for _ in range(3):
            *as_worker, session = _shown(worker)
            assert as_worker == [WORKER_ROLE, "3s", "public", "off", "UTC"]
            worker.commit()
            *as_reader, other = _shown(reader)
            assert as_reader == [API_ROLE, "7s", "public", "on", "UTC"]
            reader.rollback()
            assert _shown(stranger)[:4] == ("rosterlog", "0", "pg_catalog", "off"), "nothing is left behind"
            seen |= {session, other}
        assert len(seen) < 6, "sessions were shared"
        assert (worker.prepare_threshold, reader.prepare_threshold) == (None, None)


def test_an_append_through_a_pool_has_the_deadlines_and_the_role_of_a_direct_one(pool: Bouncer) -> None:
    async def scenario() -> list[tuple[str, ...]]:
        async def made() -> AsyncConnection:
            return await connect_async(pool.address(), INGEST_ROLE, Deadlines(4, 5), read_only=False, autocommit=True)

        async def shown(connection: Connection) -> tuple[str, ...]:
            limits = "current_setting('statement_timeout'), current_setting('lock_timeout')"
            row = await (await connection.execute(f"select current_user, {limits}")).fetchone()
            assert row is not None
            return tuple(row)

        connections = Connections(made, seconds=5.0)
        given = [await connections.use(shown), await connections.use(shown), await connections.use_patiently(shown)]
        await connections.close()
        return given

    assert asyncio.run(scenario()) == [(INGEST_ROLE, "4s", "500ms")] * 2 + [(INGEST_ROLE, "4s", "2500ms")]


NEED_A_SESSION = (
    ("migrate",), ("verify",), ("rebuild", "--yes"), ("erase", "1", "--reason", "x", "--yes"), ("up", "--port", "0"),
)  # fmt: skip


@pytest.fixture
def one_person(database: str) -> str:
    model.append(database, [model.body(1)])
    return database


def test_what_needs_a_session_of_its_own_says_so_and_takes_the_direct_address(one_person: str, pool: Bouncer) -> None:
    env = environ(DATABASE_URL=pool.address(), **SECRET)
    for command in NEED_A_SESSION:
        said = run(*command, env=env, code=2)
        assert "set ROSTERLOG_DIRECT_DATABASE_URL to the address of the PostgreSQL server itself" in said
    for command in (("rebuild", "registrations", "--yes"), ("verify",)):
        run(*command, env={**env, "ROSTERLOG_DIRECT_DATABASE_URL": one_person})
    for direct, level in (({}, "warn"), ({"ROSTERLOG_DIRECT_DATABASE_URL": one_person}, "ok")):
        lines = run("doctor", env={**env, **direct}, code=1).splitlines()
        assert [line.split()[0] for line in lines if line.split()[1] == "pool"] == [level]


def test_a_direct_address_goes_with_that_of_the_pool(database: str) -> None:
    said = run("status", env=environ(ROSTERLOG_DIRECT_DATABASE_URL=database), code=2)
    assert "set both" in said
    assert database not in said


@pytest.mark.usefixtures("one_person")
def test_the_operators_own_login_works_through_a_pool(pool: Bouncer) -> None:
    env = environ(DATABASE_URL=pool.address(OPERATOR_ROLE), **SECRET)
    assert "event.participant.created" in run("log", "list", env=env)
