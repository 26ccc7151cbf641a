"""`rosterlog erase`: asked, killed, exported, carried out again; seen over HTTP and on the terminal."""

import json
import shlex
import subprocess
from pathlib import Path

import psycopg
import pytest

from ingest.database import WORKER_ROLE, sync_engine
from tests import model
from tests.acceptance.test_vault import PEOPLE, SECRET, proof, tamper
from tests.erased_person import gate
from tests.fold_all import drain
from tests.program import COMMAND, deliver, environ, free_port, get, run, running, status_of, until

pytestmark = pytest.mark.acceptance

VERSIONS = b"select count(*) from heap_page_items(get_raw_page('event_log', 0)) where t_data is not null"


def test_a_file_that_is_no_export_is_refused_whole(database: str) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    run("erase", "1", "--reason", "asked", "--yes", env=env)
    [exported] = json.loads(run("erase", "--export", "-", env=env))
    for wrong in ("", "{}", "[1]", json.dumps([{**exported, "digests": ["00"]}]), json.dumps([{"source": "x"}])):
        imported = subprocess.run(
            [*COMMAND, "erase", "--import", "-"], env=env, input=wrong, capture_output=True, text=True, check=False
        )
        assert (imported.returncode, imported.stdout) == (2, "")
        assert "this is no export of erasures" in imported.stderr


def test_an_erased_person_is_on_no_answer_and_a_redelivery_brings_nothing_back(database: str) -> None:
    port = free_port()
    env = environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=SECRET)
    token = run("token", "create", "reader", env=env).splitlines()[-1]
    model.append(database, PEOPLE)

    def ids() -> set[str]:
        status = get(port, "/v1/status", token)[2]["sources"][0]
        participants = get(port, "/v1/participants", token)[2]["data"]
        return {participant["participant_id"] for participant in participants} if status["lag"] == 0 else set()

    with running("serve", "--port", str(port), env=env), running("worker", env=env):
        until(lambda: status_of(port, "/readyz") == 200)
        until(lambda: ids() == {"1", "2", "3", "4", "5"})
        said = run("erase", "3", "--reason", "asked for it", "--operator", "Ops", "--yes", env=env)
        assert "erased participant 3 of movemint: 1 body (positions 3) emptied" in said
        assert ids() == {"1", "2", "4", "5"}
        assert get(port, "/v1/participants/3", token)[0] == 404
        assert deliver(port, PEOPLE[2]) == (200, {"status": "duplicate", "source": "movemint", "position": 3})
        assert deliver(port, model.body(3, first_name="Later"))[1]["status"] == "stored"
        deliver(port, model.body(6))
        until(lambda: "6" in ids())
        assert ids() == {"1", "2", "4", "5", "6"}
        listed = run("erase", "--list", env=env)
        assert "participant 3" in listed
        assert "by Ops: asked for it  (positions 3)" in listed
        assert "arrived since, kept and shown to nobody: positions 6" in listed
        assert "Later" not in listed
        assert "erased already" not in run("erase", "3", "--reason", "again", "--yes", env=env)
        assert "is erased already" in run("erase", "3", "--reason", "again", "--yes", env=env)
        assert proof(env)["erased"] == 2
        model.append(database, [model.body(3, first_name="Much later")])
        run("erase", "3", "--lift", env=env, code=0)
        until(lambda: "3" in ids())
        assert get(port, "/v1/participants/3", token)[2]["first_name"] == "Much later"


def test_an_export_is_taken_over_whole_or_not_at_all(database: str, tmp_path: Path) -> None:
    """On a database that knows nothing of the erasure, as one restored from a backup."""
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    run("erase", "1", "--reason", "asked", "--yes", env=env)
    target = tmp_path / "erasures.json"
    run("erase", "--export", str(target), env=env)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table erasures disable trigger all")
        connection.execute("delete from erasures")
    tamper(database, "truncate event_log")
    model.append(database, PEOPLE)
    assert "new ones: 1; erase --reapply carries them out" in run("erase", "--import", str(target), env=env)
    assert "NOT CARRIED OUT at positions 1: run rosterlog erase --reapply" in run("erase", "--list", env=env)
    assert "bodies emptied: 1" in run("erase", "--reapply", env=env)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create extension pageinspect")
        assert connection.execute(VERSIONS).fetchone() == (len(PEOPLE),), "no old row versions are left"
    assert "NOT CARRIED OUT" not in run("erase", "--list", env=env)
    target.write_text(target.read_text().replace('"subject": "1"', '"subject": "2"'))
    assert "is known with other contents" in run("erase", "--import", str(target), env=env, code=2)


def test_an_export_never_replaces_what_this_database_does_not_know(database: str, tmp_path: Path) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    run("erase", "1", "--reason", "asked", "--yes", env=env)
    [known] = json.loads(run("erase", "--export", "-", env=env))
    target = tmp_path / "erasures.json"
    newer = json.dumps([known, {**known, "erasure_id": "00000000-0000-4000-8000-000000000000"}])
    for content, said in ((newer, "holds erasures that this database lacks"), ("{}", "no export of erasures")):
        target.write_text(content)
        assert said in run("erase", "--export", str(target), env=env, code=2)
        assert target.read_text() == content
    assert "is no file" in run("erase", "--export", "/dev/null", env=env, code=2)
    assert "is no file" in run("erase", "--export", str(tmp_path), env=env, code=2)
    assert [*tmp_path.iterdir()] == [target]
    target.write_text(json.dumps([known, {**known, "digests": ["00" * 32]}]))
    assert "known with other contents" in run("erase", "--import", str(target), env=env, code=2)
    twice = {**known, "erasure_id": "00000000-0000-4000-8000-000000000000"}
    target.write_text(json.dumps([twice, {**twice, "digests": ["00" * 32]}]))
    assert "known with other contents" in run("erase", "--import", str(target), env=env, code=2)


def test_an_interrupted_reapply_leaves_nobody_missing(database: str) -> None:
    """Somebody whose erasure was lifted has a row: it is there before, and again after, the transaction."""
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    worker = sync_engine(database, WORKER_ROLE)
    run("erase", "1", "--reason", "asked", "--yes", env=env)
    run("erase", "1", "--lift", env=env)
    model.append(database, [model.body(1, first_name="Again")])
    drain(worker)
    with psycopg.connect(database, autocommit=True) as connection:
        before = model.stored_roster(database)
        connection.execute(
            "create function die() returns trigger language plpgsql security definer as "
            "$$ begin raise exception 'no' using errcode = 'XX000'; end $$"
        )
        connection.execute("create trigger die before insert on participants_build for each row execute function die()")
        run("erase", "--reapply", env=env, code=1)
        assert model.stored_roster(database) == before
        connection.execute("drop trigger die on participants_build")
    run("erase", "--reapply", env=env)
    assert model.stored_roster(database) == before
    worker.dispose()


def test_a_table_of_somebody_elses_is_named(database: str) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table by_number (source text, participant_id bigint)")
    said = run("erase", "1", "--reason", "asked", "--yes", env=env)
    assert "by_number has the columns source and participant_id but is not rosterlog's: it was left alone" in said


def test_without_a_standard_input_nobody_is_asked_and_nothing_erased(database: str) -> None:
    model.append(database, PEOPLE)
    script = shlex.join([*COMMAND, "erase", "1", "--reason", "asked"]) + " <&-"
    refused = subprocess.run(
        ["bash", "-c", script], env=environ(DATABASE_URL=database), capture_output=True, text=True, check=False
    )
    assert (refused.returncode, model.stored_bodies(database)) == (2, PEOPLE)
    assert "add --yes where nobody can be asked" in refused.stderr


def test_asked_for_a_yes_only_a_yes_erases(database: str) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    command = [*COMMAND, "erase", "2", "--reason", "asked"]
    for answer, code, left in (("n\n", 1, 5), ("y\n", 0, 4)):
        ended = subprocess.run(command, env=env, input=answer, capture_output=True, text=True, check=False)
        assert ended.returncode == code
        assert "Erase 1 body (positions 2) of participant 2 of movemint?" in ended.stderr
        assert len(set(PEOPLE).intersection(model.stored_bodies(database))) == left


def test_promise_7_an_erase_that_is_killed_changed_nothing(database: str) -> None:
    """Killed at its last step, with everything done and nothing committed."""
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table zz_last (source text, participant_id text)")
        connection.execute("insert into zz_last values ('movemint', '2')")
    with gate(database, "zz_last", "delete") as opened:
        waiting = b"select pid from pg_stat_activity where datname = current_database() and wait_event = 'advisory'"
        held = b"select pid from pg_locks where relation = 'checkpoint'::regclass"
        with subprocess.Popen([*COMMAND, "erase", "2", "--reason", "asked", "--yes"], env=env) as process:
            until(lambda: opened.execute(waiting).fetchone())
            assert opened.execute(held).fetchone() is not None
            process.kill()
        opened.execute("select pg_advisory_unlock(4711)")
        until(lambda: opened.execute(held).fetchone() is None)
    assert model.stored_bodies(database) == PEOPLE
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from erasures").fetchone() == (0,)
        assert connection.execute("select count(*) from zz_last").fetchone() == (1,)


def test_what_is_printed_cannot_move_the_cursor(database: str) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, [model.body("7\x1b[2Jx\rforged")])
    run("erase", "7\x1b[2Jx\rforged", "--reason", "asked", "--yes", env=env)
    for command in (("erase", "--list"), ("log", "list"), ("log", "show", "1")):
        said = run(*command, env=env)
        assert "7\\u001b[2Jx\\u000dforged" in said
        assert "\x1b" not in said


def test_erase_leaves_no_old_row_versions_and_is_done_even_if_they_cannot_be_removed(database: str) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create extension pageinspect")
        run("erase", "1", "--reason", "asked", "--yes", env=env)
        assert connection.execute(VERSIONS).fetchone() == (5,)
        connection.execute("begin")
        connection.execute("lock table event_log in share update exclusive mode")
        said = run("erase", "2", "--reason", "asked", "--yes", env=env)
        connection.execute("rollback")
    assert "erased participant 2 of movemint" in said
    assert "the old row versions are in the tables until the next vacuum" in said


def test_an_export_can_be_repeated_and_what_it_holds_is_known(database: str, tmp_path: Path) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    run("erase", "3", "--reason", "asked", "--yes", env=env)
    assert "the body was erased" in run("log", "show", "3", "--body", env=env, code=1)
    target = tmp_path / "erasures.json"
    for _ in range(2):
        run("erase", "--export", str(target), env=env)
    assert target.stat().st_mode & 0o777 == 0o600
    assert [*tmp_path.iterdir()] == [target]
    assert "erasures taken over: 1, new ones: 0" in run("erase", "--import", str(target), "--reapply", env=env)
    assert proof(env)["erased"] == 1
