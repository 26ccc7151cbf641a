"""`rosterlog reconcile --apply`: exit codes, what it says, and that it may be killed at any moment."""

import json
import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from tests import model
from tests.erased_person import gate, waits
from tests.fold_all import drain, query
from tests.program import environ, run, running
from tests.proxy import Proxy

pytestmark = pytest.mark.acceptance

PEOPLE = 1_200  # of more than two batches


@pytest.fixture
def env(database: str, worker_engine: Engine) -> dict[str, str]:
    bodies = [model.body(number, event_id=501, bib=str(number)) for number in range(1, 21)]
    model.append(database, bodies)
    drain(worker_engine)
    return environ(DATABASE_URL=database)


def test_the_exit_code_says_whether_drift_is_left(
    env: dict[str, str], database: str, worker_engine: Engine, tmp_path: Path
) -> None:
    file = listed(tmp_path, "A1", 21)
    printed = run("reconcile", "--file", file, "--event", "501", "--apply", env=env)
    assert "missing 1\n  21\nstale 1\n  bib: 1\n  1\n" in printed
    assert "written down: 2\nthe observation is at position 23; the roster follows once that is folded\n" in printed
    assert printed.endswith("the roster then agrees with the file\n")
    drain(worker_engine)
    assert "the roster agrees with the file" in run("reconcile", "--file", file, "--event", "501", env=env)
    fewer = listed(tmp_path, "A1", 19)
    printed = run("reconcile", "--file", fewer, "--event", "501", "--apply", env=env, code=1)
    assert "2 unlisted are not written down: one look does not prove that they are gone; a second one, " in printed
    found = json.loads(
        run("reconcile", "--file", fewer, "--event", "501", "--apply", "--json", env=env, code=1).splitlines()[-1]
    )
    assert (found["applied"]["appended"], found["applied"]["after"]["unlisted"], found["unlisted"]) == (0, 2, 2)
    assert query(database, "select missing, stale, missing_after, stale_after from reporting.reconciliations") == [
        (1, 1, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0),
    ]  # fmt: skip


def test_two_files_of_times_an_hour_apart_say_who_is_gone(
    env: dict[str, str], database: str, worker_engine: Engine, tmp_path: Path
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("update event_log set received_at = '2026-05-01T10:00:00Z'")
    file = listed(tmp_path, "1", 18)
    arguments = ("reconcile", "--file", file, "--event", "501", "--apply")
    first = ("--taken-at", "2026-05-03T10:00:00Z")
    assert "2 unlisted are not written" in run(*arguments, *first, env=env, code=1)
    drain(worker_engine)
    second = ("--taken-at", "2026-05-03T11:00:00Z")
    assert "more than 5 %" in run(*arguments, *second, "--allow-unlisted", "1", env=env, code=2)
    assert "not written down" not in run(*arguments, *second, "--allow-unlisted", "2", env=env)
    drain(worker_engine)
    printed = run(*arguments[:-1], *second, env=env)
    assert "unlisted 0\n  besides, 2 of whom it is written down already that they are not listed\n" in printed
    found = json.loads(run(*arguments[:-1], *second, "--grace", "49h", "--json", env=env).splitlines()[-1])
    assert (found["unlisted"], found["unlisted_written_down"], found["unknowable"]) == (0, 2, 0)
    assert "such as 90s" in run(*arguments, "--grace", "5", env=env, code=2)


def test_many_who_are_stale_need_a_word_and_nothing_is_appended_without(
    env: dict[str, str], database: str, tmp_path: Path
) -> None:
    file = tmp_path / "listed.csv"
    file.write_text("id,bib\n" + "".join(f"{number},B{number}\n" for number in range(1, 21)))
    arguments = ("reconcile", "--file", str(file), "--apply")
    assert "add --allow-stale bib" in run(*arguments, "--allow-stale", "team", env=env, code=2)
    assert query(database, "select count(*) from event_log") == [(20,)]
    run(*arguments, "--allow-stale", "bib", env=env)
    assert query(database, "select count(*) from event_log") == [(41,)]


def test_options_of_writing_down_go_with_a_file(env: dict[str, str], tmp_path: Path) -> None:
    file = listed(tmp_path, "1", 20)
    for arguments, said in (
        (("--expect", "20", "--apply"), "belong to --file FILE"),
        (("--inner", "--apply"), "belong to --file FILE"),
        (("--file", file, "--allow-stale", "bib"), "--allow-stale and --allow-unlisted go with --apply"),
        (("--file", file, "--allow-unlisted", "3"), "--allow-stale and --allow-unlisted go with --apply"),
        (("--certificate", "1", "--file", file, "--apply"), "belong to --file FILE"),
        (("--file", file, "--apply", "--expect", "30"), "--expect says 30"),
    ):
        assert said in run("reconcile", *arguments, env=env, code=2)


def test_killed_between_two_batches_the_next_run_goes_on(database: str, worker_engine: Engine, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        model.append_on(connection, [model.body(number, event_id=501, bib="x") for number in range(PEOPLE)])
    drain(worker_engine)
    file = tmp_path / "listed.csv"
    file.write_text("id,bib\n" + "".join(f"{number},B{number}\n" for number in range(PEOPLE)))
    env = environ(DATABASE_URL=database)
    arguments = ("reconcile", "--file", str(file), "--event", "501", "--apply", "--allow-stale", "bib")
    with (
        gate(database, "event_log", "insert", f"new.position > {PEOPLE + 600}") as connection,
        running(*arguments, env=env) as killed,
    ):
        waits(connection, "advisory")
        killed.stop(signal.SIGKILL)
    assert counted(database) == {"rosterlog.participant.observed": 500}
    drain(worker_engine)
    printed = run(*arguments, env=env)
    assert f"written down: {PEOPLE - 500}\n" in printed
    assert counted(database) == {"rosterlog.participant.observed": PEOPLE, "rosterlog.observation": 1}
    drain(worker_engine)
    bibs = query(database, "select count(*) from participants where bib = 'B' || participant_id")
    assert bibs == [(PEOPLE,)]
    assert "the roster agrees" in run(*arguments[:5], env=env)


def test_promise_16_a_signal_ends_it_although_the_database_never_answers(
    database: str, worker_engine: Engine, tmp_path: Path
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        model.append_on(connection, [model.body(number, event_id=501, bib="x") for number in range(PEOPLE)])
    drain(worker_engine)
    file = tmp_path / "listed.csv"
    file.write_text("id,bib\n" + "".join(f"{number},B{number}\n" for number in range(PEOPLE)))
    arguments = ("reconcile", "--file", str(file), "--event", "501", "--apply", "--allow-stale", "bib")
    with (
        Proxy(database).running() as proxy,
        gate(database, "event_log", "insert", f"new.position > {PEOPLE + 600}") as connection,
        running(*arguments, env=environ(DATABASE_URL=proxy.conninfo)) as ended,
    ):
        waits(connection, "advisory")
        proxy.silence()
        assert ended.stop(signal.SIGTERM) == 128 + signal.SIGTERM
        assert not any("Traceback" in line for line in ended.lines), ended.lines
    assert counted(database) == {"rosterlog.participant.observed": 500}


def test_the_certificate_is_the_header_with_the_proof_of_its_log(
    env: dict[str, str], database: str, tmp_path: Path
) -> None:
    file = listed(tmp_path, "A1", 20)
    run("reconcile", "--file", file, "--event", "501", "--apply", env=env)
    certificate = json.loads(run("reconcile", "--certificate", "22", "--file", file, env=env).splitlines()[-1])
    assert (certificate["holds"], certificate["file"]) == (
        True, {"sha256": True, "rows": True, "listed_digest": True},
    )  # fmt: skip
    other = run("reconcile", "--certificate", "22", "--file", listed(tmp_path, "B1", 20), env=env, code=1)
    assert not json.loads(other.splitlines()[-1])["holds"]
    chains = [chain.hex() for chain in model.chains(database)]
    assert (certificate["chain"], certificate["observation"]["data"]["chain"]) == (chains[21], chains[19])
    assert (certificate["proof"]["events"], certificate["proof"]["chain"]) == (22, chains[21])
    assert certificate["observation"]["data"]["before"]["stale"] == 1
    assert "has no observation at position 21" in run("reconcile", "--certificate", "21", env=env, code=2)
    assert "give it alone" in run("reconcile", "--certificate", "22", "--inner", env=env, code=2)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("update event_log set body = 'other' where position = 3")
    assert not json.loads(run("reconcile", "--certificate", "22", env=env, code=1).splitlines()[-1])["holds"]


def listed(folder: Path, first: str, people: int) -> str:
    """A file of so many people, the first with this bib."""
    file = folder / "listed.csv"
    file.write_text(f"id,bib\n1,{first}\n" + "".join(f"{number},{number}\n" for number in range(2, people + 1)))
    return str(file)


def counted(database: str) -> dict[str, Any]:
    rows = query(database, "select event_type, count(*) from event_log where signature is null group by 1")
    return {row[0]: row[1] for row in rows}
