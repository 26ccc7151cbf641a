"""Promise 16: no event and no source stops the others, and what could not be folded in time is tried again."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

from ingest.database import WORKER_ROLE, connect, sync_engine
from ingest.logs import JsonLines
from ingest.session import FOLDING, Deadlines
from projections.folding import checkpoint
from projections.folding.complaints import Complaints
from projections.folding.pace import Pace
from projections.folding.promptness import Promptness
from projections.folding.quarantine import TRIED_AGAIN
from projections.folding.retry import SlowRetries
from projections.folding.tries import Tries, run_once
from projections.folding.worker import Worker
from tests import DEADLINE, model
from tests.fold_all import PARTICIPANTS, PROJECTIONS, drain, query, working
from tests.program import until
from tests.proxy import Proxy

IMPATIENT = Deadlines(statement=0.5, idle=0.5, transaction=0.8)

SLEEP = "create function sleep() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end $$"


@pytest.fixture
def impatient(database: str) -> Iterator[Engine]:
    engine = sync_engine(database, WORKER_ROLE, IMPATIENT)
    yield engine
    engine.dispose()


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """An entry per batch that failed."""
    noted: list[bool] = []
    failed = Pace.failed

    def note(pace: Pace, *lane: Any, **why: bool) -> bool:  # noqa: ANN401
        noted.append(True)
        return failed(pace, *lane, **why)

    monkeypatch.setattr(Pace, "failed", note)
    return noted


def test_promise_16_an_event_that_takes_too_long_is_parked_by_itself_and_tried_again(
    database: str, worker_engine: Engine, impatient: Engine
) -> None:
    drain(worker_engine)
    with psycopg.connect(database) as connection:
        connection.execute(SLEEP)
        connection.execute(
            "create trigger sleep before insert on participants_build_1 for each row "
            "when (new.first_name = 'slow') execute function sleep()"
        )
    people = [model.body(number, first_name="slow" if number == 5 else "ok") for number in range(12)]
    model.append(database, people)
    # Another worker beside it must not take the one's failures for successes.
    with working(impatient, 8), working(impatient, 8):
        until(lambda: len(model.stored_roster(database)) == 11)
    [(position, participant_id, reason)] = query(database, "select position, participant_id, reason from quarantine")
    assert (position, participant_id) == (6, "5")
    assert reason.startswith(TRIED_AGAIN)
    retries = SlowRetries(PROJECTIONS, 8, every_seconds=0)
    with psycopg.connect(database) as connection:
        connection.execute("drop trigger sleep on participants_build_1")
    retries(worker_engine)
    assert query(database, "select * from quarantine") == []
    assert model.stored_roster(database) == model.roster(people)


def test_promise_16_a_log_with_a_hole_stops_no_other_source(
    database: str, worker_engine: Engine, failures: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    for source in ("autumn", "movemint", "spring"):
        model.append(database, [model.body(number) for number in range(5)], source)
    with psycopg.connect(database) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("delete from event_log where source = 'movemint' and position = 3")
    with working(worker_engine, 1):
        until(lambda: len(query(database, "select * from participants where source <> 'movemint'")) == 10)
        until(lambda: len(failures) > 1)
    assert len(query(database, "select * from participants where source = 'movemint'")) == 2
    assert {record.message for record in caplog.records} == {
        "the log of movemint has no position 3: it was damaged; restore it from a backup"
    }


def test_promise_16_a_fault_in_our_own_writing_stops_no_other_source(database: str, worker_engine: Engine) -> None:
    """Such as an error that has no SQLSTATE of bad data: the batch is rolled back, and its event is parked at last."""
    drain(worker_engine)
    with psycopg.connect(database) as connection:
        connection.execute(
            "create function fail() returns trigger language plpgsql as $$ "
            "begin raise exception 'no' using errcode = 'XX000'; end $$"
        )
        connection.execute(
            "create trigger fail before insert on participants_build_1 for each row "
            "when (new.first_name = 'poison') execute function fail()"
        )
    for source in ("movemint", "spring"):
        model.append(
            database, [model.body(number, first_name="poison" if number == 2 else "ok") for number in range(5)], source
        )
    with working(worker_engine, 4):
        until(lambda: len(query(database, "select * from participants")) == 8)
    assert query(database, "select source, position from quarantine order by source") == [
        ("movemint", 3),
        ("spring", 3),
    ]


def test_promise_16_work_beside_folding_that_fails_ends_no_worker(
    database: str, worker_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it raises; the log says where, and nothing that may be a person's."""
    caplog.handler.setFormatter(JsonLines())
    calls: list[int] = []

    def fails(_engine: Engine) -> bool:
        calls.append(1)
        person = "canary"
        raise ExceptionGroup(person, [KeyError(person), ValueError(person)])

    stop = threading.Event()
    run = Worker(worker_engine, PROJECTIONS, 10, [fails]).run
    thread = threading.Thread(target=run, args=(0.01, stop, lambda _is_read: None))
    thread.start()
    until(lambda: calls)
    model.append(database, [model.body(1)])
    until(lambda: len(model.stored_roster(database)) == 1)
    stop.set()
    thread.join(timeout=DEADLINE)
    [line] = [json.loads(line) for line in caplog.text.splitlines() if "beside folding" in line]
    assert "in fails" in line["traceback"]
    assert line["traceback"].splitlines()[-2:] == ["KeyError", "ValueError"]
    assert (line["error"], "canary" in caplog.text) == ("ExceptionGroup", False)


def test_promise_16_a_slow_database_parks_nobody(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch, failures: list[bool]
) -> None:
    """Every event fails with it; none is to blame."""
    monkeypatch.setattr("projections.folding.promptness._QUICK_SECONDS", 0.2)
    with Proxy(database).running() as proxy, psycopg.connect(database, autocommit=True) as connection:
        # A look takes long and a batch takes too long, but parking an event would succeed.
        engine = sync_engine(proxy.conninfo, WORKER_ROLE, Deadlines(statement=0.5, idle=8, transaction=8))
        engine.connect().close()  # the first connection asks for more than a slow database answers in time
        drain(worker_engine)
        connection.execute(SLEEP)
        connection.execute(
            "create trigger sleep before insert on participants_build_1 for each row execute function sleep()"
        )
        model.append(database, [model.body(number) for number in range(3)])
        proxy.delay = 0.1
        with working(engine, 1):
            until(lambda: len(failures) >= 4 or query(database, "select * from quarantine"))
            connection.execute("drop trigger sleep on participants_build_1")
            proxy.delay = 0
            until(lambda: len(model.stored_roster(database)) == 3 or query(database, "select * from quarantine"))
        engine.dispose()
    assert query(database, "select * from quarantine") == []


def test_promise_16_a_right_that_is_missing_parks_nobody(
    database: str, worker_engine: Engine, failures: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    """It fails at once, with every event: none is to blame. The log says which."""
    caplog.handler.setFormatter(JsonLines())
    drain(worker_engine)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"revoke insert on participants_build_1 from {WORKER_ROLE}")
        model.append(database, [model.body(number) for number in range(3)])
        with working(worker_engine, 1):
            until(lambda: len(failures) >= 4 or query(database, "select * from quarantine"))
            connection.execute(f"grant insert on participants_build_1 to {WORKER_ROLE}")
            until(lambda: len(model.stored_roster(database)) == 3 or query(database, "select * from quarantine"))
    assert query(database, "select * from quarantine") == []
    line = json.loads(caplog.text.splitlines()[0])
    assert (line["error"], line["sqlstate"]) == ("InsufficientPrivilege", "42501")
    assert line["message"] == "permission denied for table participants_build_1"
    assert "traceback" not in line


def test_promise_16_an_event_that_costs_its_session_is_parked(database: str, worker_engine: Engine) -> None:
    """It takes so long that the session is ended, which looks as if the database had gone away."""
    drain(worker_engine)
    with psycopg.connect(database) as connection:
        connection.execute(
            "create function end_session() returns trigger language plpgsql security definer as $$ "
            "begin perform pg_sleep(0.5), pg_terminate_backend(pg_backend_pid()); return new; end $$"
        )
        connection.execute(
            "create trigger end_session before insert on participants_build_1 for each row "
            "when (new.first_name = 'slow') execute function end_session()"
        )
    people = [model.body(number, first_name="slow" if number == 1 else "ok") for number in range(3)]
    model.append(database, people)
    with working(worker_engine, 8):
        until(lambda: len(model.stored_roster(database)) == 2)
    assert query(database, "select position from quarantine") == [(2,)]


def test_promise_16_nobody_is_parked_for_waiting_for_a_lock(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch, failures: list[bool]
) -> None:
    """As while a person makes an index: whatever the time, it is not the event's. No look is late, to excuse it.

    The wait for the lock ends before all the time is over, so that it is known for what it was.
    """
    monkeypatch.setattr("projections.folding.tries.FOLDING", Deadlines(statement=2, idle=2, transaction=3.2))
    monkeypatch.setattr("projections.folding.tries._LONG_SECONDS", 0.0)
    monkeypatch.setattr("projections.folding.promptness._QUICK_SECONDS", DEADLINE)
    drain(worker_engine)
    with psycopg.connect(database) as indexing:
        indexing.execute("lock table participants_build_1 in share mode")
        model.append(database, [model.body(1)])
        with working(worker_engine, 8):
            until(lambda: len(failures) >= 5 or query(database, "select * from quarantine"))
            indexing.rollback()
            until(lambda: len(model.stored_roster(database)) == 1 or query(database, "select * from quarantine"))
    assert query(database, "select * from quarantine") == []


@pytest.mark.slow
def test_promise_16_a_command_that_stands_still_keeps_workers_waiting_for_seconds_only(
    database: str, worker_engine: Engine, engine: Engine
) -> None:
    """As a rebuild or an erasure that is stopped within its transaction: PostgreSQL ends its session."""
    drain(worker_engine)
    model.append(database, [model.body(1)])
    with engine.connect() as stopped:
        checkpoint.stop_all(stopped)
        with working(worker_engine, 10):
            until(lambda: len(model.stored_roster(database)) == 1)
        with pytest.raises(DBAPIError, match="idle-in-transaction"):
            stopped.execute(text("select 1"))
        stopped.invalidate()


@pytest.mark.slow
def test_promise_9_a_worker_that_is_stopped_in_the_middle_of_a_copy_is_replaced(
    database: str, worker_engine: Engine
) -> None:
    """Its session waits for the next rows: no time-out of PostgreSQL counts there, so another worker has to end it."""
    model.append(database, [model.body(number) for number in range(10)])
    run_once(worker_engine, PARTICIPANTS, "movemint", 1)
    stopped = connect(database, WORKER_ROLE, FOLDING)
    stopped.execute("lock table checkpoint in row exclusive mode")
    stopped.execute("select from checkpoint for update")
    copying = stopped.cursor().copy("copy participants_build_1 from stdin")
    copying.__enter__()
    with working(worker_engine, 10):
        until(lambda: len(model.stored_roster(database)) == 10)
    with pytest.raises(psycopg.OperationalError):
        copying.__exit__(None, None, None)
    stopped.close()


def test_a_session_that_cannot_be_ended_is_said_once(
    database: str, worker_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """The owner of the function is no superuser, as on a managed server, and another login's session hangs."""
    run_once(worker_engine, PARTICIPANTS, "movemint", 1)
    model.append(database, [model.body(1)])
    with psycopg.connect(database) as connection:
        # Any role that may see neither will do; this one every server has.
        connection.execute("grant create on schema public to rosterlog_api")
        connection.execute("alter function end_overdue() owner to rosterlog_api")
    tries = Tries(worker_engine, 10, Promptness(), Complaints())
    asked: list[object] = []
    event.listen(worker_engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    with psycopg.connect(database) as hanging:
        hanging.execute("lock table checkpoint in exclusive mode")
        for _ in range(2):
            tries._ended_overdue_at = 0.0
            for _ in range(5):
                tries._end_overdue()
                tries._ended_overdue_at = time.monotonic()  # a second is not over, however slow this machine is
    assert asked == ["select end_overdue()"] * 2
    assert caplog.text.count("cannot be ended") == 1
