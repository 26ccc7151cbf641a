"""`rosterlog rebuild` as a person runs it: under traffic and kills, with questions, another definition, back again."""

import json
import os
import random
import signal
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from ingest import postgres
from projections.folding.builds import REBUILD_LOCK
from tests import DEADLINE, model, roster_model
from tests.fold_all import query
from tests.program import (
    COMMAND,
    Running,
    deliver,
    environ,
    free_port,
    get,
    run,
    running,
    status_json,
    status_of,
    until,
)

pytestmark = pytest.mark.acceptance

KILLS = 6


@pytest.fixture
def env(database: str) -> dict[str, str]:
    return environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())


@pytest.fixture
def folded(database: str, env: dict[str, str]) -> str:
    """Fifty people on the roster, and no worker any more."""
    model.append(database, [model.body(n, bib=n, race_number=f"R{n}", first_name="Zoë") for n in range(50)])
    with running("worker", env=env):
        until(lambda: lag(env) == 0)
    return database


def lag(env: dict[str, str]) -> int:
    return int(status_json(env)["sources"][0]["lag"])


def live(database: str) -> int:
    [(number,)] = query(database, "select live from projection where projection = 'participants'")
    return int(number)


def rows(database: str) -> dict[str, tuple[object, ...]]:
    columns = "participant_id, first_position, position, first_name, bib, event_id"
    return {row[0]: row[1:] for row in query(database, f"select {columns} from participants")}


@pytest.mark.slow
def test_promise_13_rebuilds_under_traffic_and_kills_end_in_the_models_roster(
    database: str, env: dict[str, str]
) -> None:
    model.append(database, [model.body(n % 700, first_name=f"{n}", event_id=n % 3) for n in range(3_000)])
    port = free_port()
    wait = random.Random(13)
    enough = threading.Event()
    answered: list[bytes] = []
    killed = 0
    with running("ingest", "--port", str(port), env=env), running("worker", env=env) as worker:
        worker.line("ready")
        until(lambda: status_of(port, "/healthz") == 200)
        until(lambda: lag(env) == 0)
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(_send, port, answered, enough)
            try:
                for _ in range(KILLS):
                    rebuild = Running(("rebuild", "--yes", "--jobs", "2"), env)
                    threading.Event().wait(wait.random() * 2)
                    if rebuild.process.poll() is None:
                        os.kill(rebuild.process.pid, signal.SIGKILL)
                        killed += 1
                    rebuild.stop()
                    assert len(rows(database)) >= 700, "readers see a whole roster, whatever became of the rebuild"
                run("rebuild", "--yes", "--jobs", "2", env=env)
            finally:
                enough.set()
            sending.result(timeout=DEADLINE)
        until(lambda: lag(env) == 0)
        assert worker.stop(signal.SIGTERM) == 0
    assert killed
    assert set(answered) <= set(model.stored_bodies(database))
    equals_the_model(database)
    [(builds,)] = query(database, "select count(*) from projection_build")
    assert builds <= 4, "each projection's live build and the one before"
    tables = query(database, "select count(*) from pg_class where relkind = 'r' and relname ~ '_build_[0-9]+$'")
    assert tables <= [(10,)]


def _send(port: int, answered: list[bytes], enough: threading.Event) -> None:
    number = 0
    while not enough.is_set():
        number += 1
        content = model.body(number % 900, first_name=f"live {number}", bib=number)
        status, answer = deliver(port, content)
        assert status == 200, answer
        answered.append(content)


def equals_the_model(database: str) -> None:
    expected = roster_model.roster(model.stored_bodies(database))
    assert rows(database) == expected.rows()
    history = query(database, "select participant_id, position, until_position from participant_history")
    assert set(history) == expected.history()


def test_it_asks_and_changes_nothing_unless_agreed_to(folded: str, env: dict[str, str]) -> None:
    for answer, code, said in (("n\n", 1, "nothing was changed"), ("", 2, "add --yes"), ("y\n", 0, "is live")):
        done = subprocess.run(
            [*COMMAND, "rebuild", "participants", "--jobs", "1"],
            env=env, input=answer, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=DEADLINE, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout
        assert said in done.stdout
        assert "participants: 0 added, 0 removed, 0 changed" in done.stdout
        assert live(folded) == (1 if code else 4)


@pytest.mark.slow
def test_another_definition_is_noticed_compared_swapped_and_rolled_back(
    folded: str, env: dict[str, str], tmp_path: Path
) -> None:
    fields = tmp_path / "fields.toml"
    fields.write_text('bib = "race_number"\n')
    pointed = {**env, "ROSTERLOG_FIELDS": str(fields)}
    token = run("token", "create", "t", env=env).split()[-1]
    port = free_port()
    with running("api", "--port", str(port), env=pointed), running("worker", env=pointed) as worker:
        worker.line("rebuild needed")
        until(lambda: status_of(port, "/healthz") == 200)
        answer = get(port, "/readyz")
        assert answer[0] == 503
        assert "participants (a rebuild is needed)" in str(answer[2])
        assert get(port, "/v1/participants/7", token)[2]["bib"] == "7"
        assert "rosterlog rebuild participants" in run("status", env=pointed, code=1)
        model.append(folded, [model.body(60, bib=60, race_number="R60")])
        compared = run("rebuild", "participants", "--diff", env=pointed)
        assert "participants: 0 added, 0 removed, 50 changed\n  bib: 50 changed\n" in compared
        assert "changed 10 of movemint: bib" in compared
        assert "1 more come from events that only one of the two has reached" in compared
        assert live(folded) == 1
        assert "is live" in run("rebuild", "--yes", env=pointed)
        until(lambda: status_of(port, "/readyz") == 200)
        assert "participants: build 3 is live\n" in run("status", env=pointed)
        assert get(port, "/v1/participants/7", token)[2]["bib"] == "R7"
        model.append(folded, [model.body(61, bib=61, race_number="R61")])
        until(lambda: get(port, "/v1/participants/61", token)[0] == 200)
        assert "bring back that release, or ROSTERLOG_FIELDS and ROSTERLOG_TIME_ZONE" in run(
            "rebuild", "--rollback", env=pointed, code=2
        )
    assert "build 1 is live again; rosterlog rebuild participants --rollback brings back build 3, with" in run(
        "rebuild", "--rollback", env=env
    )
    assert {row[3] for row in rows(folded).values()} == {str(n) for n in (*range(50), 60, 61)}
    assert rows(folded) == roster_model.roster(model.stored_bodies(folded)).rows()


@pytest.mark.usefixtures("folded")
def test_wrong_words_are_refused(env: dict[str, str]) -> None:
    assert "there is participants, registrations" in run("rebuild", "roster", "--yes", env=env, code=2)
    assert "no build of participants to go back to" in run("rebuild", "participants", "--rollback", env=env, code=2)
    assert "without --diff" in run("rebuild", "--rollback", "--diff", env=env, code=2)


def test_promise_13_a_second_rebuild_is_refused_and_the_first_goes_on(folded: str, env: dict[str, str]) -> None:
    with psycopg.connect(folded, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s, hashtext('participants'))", [REBUILD_LOCK])
        assert "another rebuild of participants is under way" in run("rebuild", "--yes", env=env, code=1)
    assert live(folded) == 1
    run("rebuild", "participants", "--yes", "--jobs", "1", env=env)


@pytest.mark.slow
def test_promise_13_after_a_restart_of_the_database_the_next_rebuild_starts_clean() -> None:
    with tempfile.TemporaryDirectory(prefix="rosterlog-restart-") as folder:
        Path(folder).chmod(0o711)  # so that, run as root, PostgreSQL's own account can enter
        with postgres.server(Path(folder) / "data", print) as server:
            env = environ(DATABASE_URL=server.conninfo)
            run("migrate", env=env)
            fill(server.conninfo, [model.body(n % 900, first_name=f"{n}") for n in range(2_000)])
            run("rebuild", "--yes", "--jobs", "1", env=env)
            with psycopg.connect(server.conninfo) as holding:
                holding.execute("lock table erasures in access exclusive mode")
                rebuild = Running(("rebuild", "participants", "--yes", "--jobs", "1"), env)
                [(process, *_)] = until(lambda: waiting(server.conninfo))
                os.kill(process, signal.SIGKILL)  # and PostgreSQL restarts all of itself
                with suppress(psycopg.OperationalError):
                    holding.rollback()
            assert rebuild.process.wait(timeout=DEADLINE) == 1
            until(lambda: is_up(server.conninfo))
            rebuild.stop()
            assert "run the rebuild again" in "\n".join(rebuild.lines)
            assert len(model.stored_roster(server.conninfo)) == 900
            run("rebuild", "--yes", "--jobs", "1", env=env)
            assert query(server.conninfo, "select count(*) from projection_build") == [(4,)]
            assert len(model.stored_roster(server.conninfo)) == 900


def fill(database: str, bodies: list[bytes]) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for begin in range(0, len(bodies), 1_000):
            model.append_on(connection, bodies[begin : begin + 1_000])


def waiting(database: str) -> list[tuple[int]]:
    """PostgreSQL's processes that work for a rebuild's jobs and wait for a lock."""
    wait = "datname = current_database() and wait_event_type = 'Lock'"
    return [(row[0],) for row in query(database, f"select pid from pg_stat_activity where {wait}")]


def is_up(database: str) -> bool:
    try:
        return query(database, "select true") == [(True,)]
    except psycopg.OperationalError:
        return False


def test_the_jobs_end_with_a_rebuild_that_is_killed(database: str, env: dict[str, str]) -> None:
    fill(database, [model.body(n) for n in range(12_000)])
    with psycopg.connect(database) as holding:
        holding.execute("lock table erasures in access exclusive mode")
        rebuild = Running(("rebuild", "participants", "--yes", "--jobs", "3"), env)
        until(lambda: len(waiting(database)) == 3)
        os.kill(rebuild.process.pid, signal.SIGKILL)
        rebuild.stop()
        until(lambda: waiting(database) == [])
    run("rebuild", "participants", "--yes", "--jobs", "3", env=env)
    assert query(database, "select count(*) from participants") == [(12_000,)]


def test_parked_events_are_listed_shown_and_folded_again(database: str, env: dict[str, str]) -> None:
    broken = b'{"type": "event.participant.created", "data": {"object": {"id": 7, "first_name": "\\ud83d"}}}'
    model.append(database, [model.body(1), broken, b"not JSON", model.body(7, first_name="Zoë")])
    model.append(database, [b"[]"], "spring")
    with running("worker", env=env):
        until(lambda: lag(env) == 0)
    listed = json.loads(run("quarantine", "list", "--json", env=env))["parked"]
    assert [(parked["source"], parked["position"], parked["reason"]) for parked in listed] == [
        ("movemint", 3, "the body is not JSON"), ("spring", 1, "the body is not a JSON object")
    ]  # fmt: skip
    assert "not JSON" in run("quarantine", "list", "--source", "movemint", env=env)
    assert "rosterlog log show 3 --body" in run("quarantine", "show", "3", env=env)
    assert "not parked" in run("quarantine", "show", "2", env=env, code=2)
    assert "not parked" in run("quarantine", "retry", "2", env=env, code=2)
    assert "tried again: 2; still parked: 2" in run("quarantine", "retry", env=env, code=1)
    with psycopg.connect(database) as connection:  # as by a fault of an older fold
        connection.execute(
            "insert into quarantine (source, projection, build, position, participant_id, reason) "
            "values ('movemint', 'participants', 1, 1, '1', 'the fold failed')"
        )
        connection.execute("delete from participants_build where participant_id = '1'")
    assert "tried again: 1; still parked: 0" in run("quarantine", "retry", "1", env=env)
    assert set(rows(database)) == {"1", "7"}
    changes = "select count(*) from roster_change where subject = '7'"
    assert query(database, changes) == [(0,)]
    with psycopg.connect(database) as connection:
        connection.execute(
            "insert into quarantine (source, projection, build, position, participant_id, reason) "
            "select 'movemint', 'registrations', 1, position, '7', 'x' from participants where participant_id = '7'"
        )
    run("quarantine", "retry", env=env, code=1)
    assert query(database, changes) == [(0,)], "nobody follows the registrations"
