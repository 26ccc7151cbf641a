"""Refused deliveries: counted by source, reason and hour, shown with the next step, and nothing of them kept."""

import json
import signal
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from tests import DEADLINE, model
from tests.fold_all import query
from tests.program import Running, deliver, environ, free_port, run, running, status_of, until
from tests.raw_client import connected, head

pytestmark = pytest.mark.acceptance

ENV = {"MOVEMINT_WEBHOOK_SECRET": model.SECRET.decode(), "ROSTERLOG_MAX_BODY_BYTES": "1000"}
BY_REASON = "select source, reason, sum(count) from refused_delivery group by 1, 2 order by 1, 2"


@pytest.fixture
def receiving(database: str) -> Iterator[tuple[int, Running]]:
    port = free_port()
    with running("ingest", "--port", str(port), env=environ(DATABASE_URL=database, **ENV)) as ingest:
        until(lambda: status_of(port, "/healthz") == 200)
        yield port, ingest


def test_promise_1_what_is_refused_is_counted_and_nothing_of_it_kept(
    database: str, receiving: tuple[int, Running]
) -> None:
    port, ingest = receiving
    content = model.body("canary", first_name="Canary")
    for signature, times in (("0" * 64, 3), ("canary", 2)):
        for _ in range(times):
            assert deliver(port, content, signature=signature)[0] == 401
    with connected(port) as client:
        client.send(head(b"Content-Length: %d" % len(content)) + content)
        assert client.answer().status == 401
    assert deliver(port, content * 30)[0] == 413
    assert deliver(port, content, source="canary")[0] == 404
    wanted = [
        ("", "unknown_source", 1), ("movemint", "signature_malformed", 2), ("movemint", "signature_missing", 1),
        ("movemint", "signature_wrong", 3), ("movemint", "too_large", 1),
    ]  # fmt: skip
    until(lambda: query(database, BY_REASON) == wanted)
    line = ingest.line("deliveries refused").string
    assert json.loads(line)["refused"] >= 1
    assert "anary" not in "".join(ingest.lines) + str(query(database, "select * from refused_delivery"))
    assert query(database, "select * from event_log") == []


def test_a_rotated_secret_is_said_with_the_next_step_until_a_delivery_is_stored(
    database: str, receiving: tuple[int, Running]
) -> None:
    port, _ = receiving
    env = environ(DATABASE_URL=database, **ENV)
    assert deliver(port, model.body(0))[0] == 200
    for number, sum_ in enumerate((4, 5, 7)):
        refused = query(database, "select coalesce(sum(run), 0)::int from refused_delivery")[0][0]
        for _ in range(sum_ - refused):
            content = model.body(number)
            assert deliver(port, content, signature=model.signature(content, b"the new secret"))[0] == 401
        until(lambda: query(database, "select sum(run) from refused_delivery")[0][0] == sum_)  # noqa: B023 - at once
        said = run("status", env=env, code=1)
        assert ("was the secret rotated?" in said) == (sum_ >= 5), "four may be a stranger's"
    assert "movemint: 7 of 8 deliveries in the last hour were refused, signature wrong since" in said
    assert "was the secret rotated?" in said
    assert max(map(len, said.splitlines()[1:3])) <= 120
    [source] = json.loads(run("status", "--json", env=env, code=1))["sources"]
    assert (source["refused_last_hour"], source["refused_by_reason"]) == (7, {"signature_wrong": 7})
    times = source["last_received_at"], source["last_refused_at"]
    assert said.splitlines()[2].endswith(f"  {times[0][:19]}Z")
    assert f"movemint: refused in 1 h: 7 signature_wrong; the last at {times[1][:19]}Z" in said.splitlines()
    assert times[0] < times[1]
    assert deliver(port, model.body(1))[0] == 200
    assert "secret" not in run("status", env=env, code=1)  # 1: no worker was seen
    content = model.body(2)
    assert deliver(port, content, signature="0" * 64)[0] == 401
    until(lambda: query(database, "select run from refused_delivery") == [(1,)])


def test_the_first_delivery_of_all_is_said_when_it_is_refused(database: str, receiving: tuple[int, Running]) -> None:
    port, _ = receiving
    assert deliver(port, model.body(0), signature="0" * 64)[0] == 401
    until(lambda: query(database, "select * from refused_delivery"))
    said = run("status", env=environ(DATABASE_URL=database, **ENV), code=1)
    assert "movemint: 1 of 1 delivery in the last hour was refused, signature wrong since" in said
    assert "movemint: refused in 1 h: 1 signature_wrong" in said


def test_numbers_that_were_written_in_part_are_not_counted_twice(database: str, receiving: tuple[int, Running]) -> None:
    port, _ = receiving
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("create sequence tries")  # which a rollback does not take back
        admin.execute(
            "create function fail() returns trigger language plpgsql as $$ "
            "begin perform nextval('tries'); raise exception 'no' using errcode = 'XX001'; end $$"
        )
        admin.execute(
            "create trigger fail before insert on refused_delivery for each row "
            "when (new.source = 'movemint') execute function fail()"
        )
        assert deliver(port, b"x", source="nobody")[0] == 404
        assert deliver(port, b"x", signature="0" * 64)[0] == 401
        until(lambda: query(database, "select last_value > 1 from tries") == [(True,)])
        admin.execute("drop trigger fail on refused_delivery")
    wanted = [("", "unknown_source", 1), ("movemint", "signature_wrong", 1)]
    until(lambda: len(query(database, BY_REASON)) == 2)
    assert query(database, BY_REASON) == wanted


def test_what_is_being_counted_when_the_server_stops_is_counted_once(
    database: str, receiving: tuple[int, Running]
) -> None:
    port, ingest = receiving

    def waiting() -> set[int]:
        found = query(
            database, "select pid from pg_locks where relation = 'refused_delivery'::regclass and not granted"
        )
        return {pid for (pid,) in found}

    with psycopg.connect(database) as holding:
        holding.execute("lock table refused_delivery in access exclusive mode")
        assert deliver(port, b"x", signature="0" * 64)[0] == 401
        first = until(waiting)
        ingest.process.send_signal(signal.SIGINT)
        until(lambda: waiting() - first or ingest.process.poll() is not None)
    assert ingest.process.wait(DEADLINE) == 0
    assert query(database, BY_REASON) == [("movemint", "signature_wrong", 1)]


def test_the_login_of_the_webhook_can_append_and_count_and_nothing_else(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("set role rosterlog_ingest")
        connection.execute("select count_refused('movemint', 'too_large', now(), 2, now())")
        for statement in (
            "select * from refused_delivery", "delete from refused_delivery", "select * from event_log",
            "insert into refused_delivery values ('x', 'y', now(), 1, now(), 1, now())", "select * from worker_seen",
        ):  # fmt: skip
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        for values in ("'x', 'another', now(), 1, now()", "null, 'too_large', now(), 1, now()",
                       "'x', 'too_large', now(), 0, now()",
                       f"'{'x' * 64}', 'too_large', now(), 1, now()"):  # fmt: skip
            with pytest.raises(errors.InvalidParameterValue):
                connection.execute(f"select count_refused({values})".encode())


def test_a_worker_is_seen_and_missed(database: str) -> None:
    env = environ(DATABASE_URL=database, **ENV)
    port = free_port()
    with running("ingest", "--port", str(port), env=env):
        until(lambda: status_of(port, "/readyz") == 200)
        assert "no worker was seen ever: start rosterlog worker" in run("status", env=env, code=1)
        with running("worker", env=env):
            until(lambda: query(database, "select * from worker_seen"))
            run("status", env=env)
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("update worker_seen set seen_at = now() - interval '3 minutes'")
        assert "no worker was seen for 3 min" in run("status", env=env, code=1)
