"""The commands one by one: what they print, their exit codes, and one clear line for every error."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests import DEADLINE, HEAD, ROOT, model
from tests.program import COMMAND, environ, free_port, get, run, running, status_json, status_of, until

pytestmark = pytest.mark.acceptance

SECRET = model.SECRET.decode()


def test_a_mistyped_command_is_told_the_one_that_was_meant() -> None:
    assert "Did you mean 'status'?" in run("stat", env=environ(), code=2)


def test_migrate_runs_once_and_a_second_time_does_nothing(empty_database: str) -> None:
    env = environ(DATABASE_URL=empty_database)
    assert run("migrate", env=env).splitlines()[1:] == [f"migrated from nothing to {HEAD}"]
    assert run("migrate", env=env).splitlines()[1:] == [f"already at {HEAD}"]


def test_serve_and_a_worker_do_the_whole_job_for_the_simulator(database: str) -> None:
    port = free_port()
    env = environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=SECRET)
    token = run("token", "create", "reader", env=env).splitlines()[-1]
    with running("serve", "--port", str(port), env=env) as serve, running("worker", env=env) as worker:
        until(lambda: status_of(port, "/readyz") == 200)
        said = run(
            "simulate", "--url", f"http://127.0.0.1:{port}/webhooks/movemint", "--count", "300",
            "--participants", "120", "--duplicates", "0.2", "--reorder", "30", "--corrupt", "5", env=env,
        )  # fmt: skip
        assert "kept      300 stored, 60 duplicates" in said
        assert "refused   5 damaged ones, as they should be" in said
        until(lambda: get(port, "/v1/status", token)[2]["sources"][0]["lag"] == 0)
        assert len(get(port, "/v1/participants?limit=1000", token)[2]["data"]) == 120
        stopped = [program.stop(signal.SIGTERM, insists=True) for program in (serve, worker)]
    assert stopped == [0, 0], "however often they are asked to"
    status = status_json(env)
    assert [projection["needs_rebuild"] for projection in status["projections"]] == [False, False]
    [source] = status["sources"]
    assert (source["source"], source["head"], source["lag"], source["quarantined"]) == ("movemint", 300, 0, 0)
    assert source["checkpoints"] == {"participants": 300, "registrations": 300}
    assert source["refused_by_reason"] == {"signature_wrong": 5}
    assert {row[2] for row in model.stored_roster(database).values()} == {
        row[2] for row in model.roster(model.stored_bodies(database)).values()
    }


def test_api_alone_serves_no_webhook(database: str) -> None:
    port = free_port()
    with running("api", "--port", str(port), env=environ(DATABASE_URL=database)):
        until(lambda: status_of(port, "/readyz") == 200)
        assert get(port, "/webhooks/movemint", method="POST")[0] == 404
        assert get(port, "/v1/participants")[0] == 401


def test_tokens_are_created_listed_and_revoked(database: str) -> None:
    env = environ(DATABASE_URL=database)
    token = run("token", "create", "desk", "--event", "501", "--expires", "2999-01-01", env=env).splitlines()[-1]
    run("token", "create", "start", "--without-personal-data", env=env)
    listed = run("token", "list", env=env)
    assert "desk  movemint  events 501  made" in listed
    assert "start  movemint  all events  without personal data  made" in listed
    refused = run("token", "create", "watch", "--operator", "--without-personal-data", env=env, code=2)
    assert "an operator's token sees no participant" in refused
    assert token not in listed
    assert "revoke it first" in run("token", "create", "desk", env=env, code=2)
    assert run("token", "revoke", "desk", env=env).splitlines()[-1] == "revoked desk"
    assert "no live token" in run("token", "revoke", "desk", env=env, code=2)


def test_psql_passes_everything_on(database: str) -> None:
    env = environ(DATABASE_URL=database)
    assert run("psql", "-At", "-c", "select count(*) from event_log", env=env) == "0\n"
    run("psql", "-v", "ON_ERROR_STOP=1", "-c", "select nonsense", env=env, code=1)


@pytest.mark.parametrize(
    ("args", "settings", "code", "said"),
    [
        (("ingest",), {}, 2, "MOVEMINT_WEBHOOK_SECRET is not set"),
        (("status",), {"ROSTERLOG_PROT": "1"}, 2, "did you mean ROSTERLOG_PORT"),
        (("status",), {"ROSTERLOG_PORT": "x"}, 2, "ROSTERLOG_PORT"),
        (("status",), {"MOVEMINT_WEBHOOK_SECRETS": "hush"}, 2, "did you mean MOVEMINT_WEBHOOK_SECRET?"),
        (("api",), {"ROSTERLOG_PUBLIC_URL": "example.org"}, 2, "ROSTERLOG_PUBLIC_URL: is not an address such as"),
        (("status",), {"DATABASE_URL": "nonsense://u:hush@h/d"}, 2, "DATABASE_URL"),
        (
            ("status",),
            {"DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/d"},
            1,
            "is DATABASE_URL right (host 127.0.0.1, port 1)",
        ),
        (
            ("up", "--port", "0"),
            {"DATABASE_URL": "host=127.0.0.1 port=1 password=hush", "MOVEMINT_WEBHOOK_SECRET": "x"},
            1,
            "is DATABASE_URL right (host 127.0.0.1, port 1)",
        ),
        (
            ("api", "--port", "0"),
            {"READ_DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/d"},
            1,
            "is READ_DATABASE_URL right (host 127.0.0.1, port 1)",
        ),
        (("worker",), {"DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/d"}, 1, "the database is away"),
        (("serve",), {"DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/d", "MOVEMINT_WEBHOOK_SECRET": "x"}, 1, "away"),
        (("simulate", "--url", "nonsense", "--secret", "x"), {}, 2, "--url"),
        (("simulate", "--url", "http://127.0.0.1:1/", "--secret", "x", "--corrupt", "lots"), {}, 2, "--corrupt"),
        (("simulate", "--url", "http://[", "--secret", "x"), {}, 2, "--url"),
        (("simulate", "--url", "http://127.0.0.1:99999/", "--secret", "x"), {}, 2, "--url"),
        (("nonsense",), {}, 2, "nonsense"),
        (("ingest", "--host", "x" * 70), {"MOVEMINT_WEBHOOK_SECRET": "x"}, 1, "is not known"),
        (("ingest", "--host", "nowhere.invalid"), {"MOVEMINT_WEBHOOK_SECRET": "x"}, 1, "nowhere.invalid"),
    ],
)
def test_every_error_is_one_clear_line_without_a_traceback(
    args: tuple[str, ...], settings: dict[str, str], code: int, said: str
) -> None:
    printed = run(*args, env=environ(**settings), code=code)
    assert said in printed
    assert "Traceback" not in printed
    assert "hush" not in printed


def test_names_of_kubernetes_are_said_in_the_log_of_a_server_and_to_no_person() -> None:
    away = environ(DATABASE_URL="postgresql://u:hush@127.0.0.1:1/d", ROSTERLOG_SERVICE_HOST="10.0.0.1")
    assert '"names":["ROSTERLOG_SERVICE_HOST"]' in run("worker", env=away, code=1)
    assert "ROSTERLOG_SERVICE_HOST" not in run("token", "list", env=away, code=1)


def test_a_database_that_is_not_migrated_says_what_to_run(empty_database: str) -> None:
    env = environ(DATABASE_URL=empty_database, MOVEMINT_WEBHOOK_SECRET=SECRET)
    for command in (("status",), ("worker",), ("serve", "--port", "0"), ("token", "list")):
        assert "run rosterlog migrate" in run(*command, env=env, code=1)


def test_the_command_in_an_error_runs_as_it_is_printed(empty_database: str) -> None:
    env = environ(DATABASE_URL=empty_database, PATH=os.defpath)
    told = run("status", env=env, code=1, cwd=ROOT)
    hint = told.rpartition("run ")[2].strip()
    program, command = shlex.split(hint)  # in a folder with a blank the program stands in quotes
    assert (Path(program).name, command) == ("rosterlog", "migrate")
    done = subprocess.run(
        ["bash", "-c", hint], env=env, cwd="/", capture_output=True, text=True, check=True, timeout=DEADLINE
    )
    assert done.stdout == f"migrated from nothing to {HEAD}\n"


def test_a_wrong_password_is_one_line_that_does_not_show_it(database: str) -> None:
    printed = run("status", env=environ(DATABASE_URL=make_conninfo(database, password="hush")), code=1)
    assert len(printed.splitlines()) == 1
    assert "hush" not in printed


def test_the_simulator_takes_its_secret_from_a_file_or_the_settings_and_warns_of_an_argument(
    database: str, tmp_path: Path
) -> None:
    port = free_port()
    bare = environ(DATABASE_URL=database)
    sources = {"ROSTERLOG_SOURCES": '{"spring": ["newest", "older"]}', "MOVEMINT_WEBHOOK_SECRET": SECRET}
    (tmp_path / "secret").write_text(" older , oldest\r\n")  # as the server would take it: the newest is the first
    with running("ingest", "--port", str(port), env={**bare, **sources}):
        until(lambda: status_of(port, "/healthz") == 200)
        simulate = ("simulate", "--count", "2", "--url", f"http://127.0.0.1:{port}/webhooks/spring")
        assert "2 stored" in run(*simulate, env={**bare, **sources})
        by_file = run(*simulate, "--secret-file", str(tmp_path / "secret"), env=bare)
        by_argument = run(*simulate, "--secret", "older", env=bare)
    for said, is_warned in ((by_file, False), (by_argument, True)):
        assert "2 duplicates" in said
        assert ("list of processes" in said) is is_warned
    assert "no secret of 'spring' is set: give --secret-file" in run(*simulate, env=bare, code=2)
    assert "give --secret-file or --secret" in run(*simulate, "--secret-file", "-", "--secret", "x", env=bare, code=2)
    for content, why in (
        (b" ,\n", "is empty"), (b"\x89PNG\r\n\x1a\n\x00", "is not one line of text"),
        (b"one\ntwo\n", "is not one line of text"), (b"x" * 65_537, "is not one line of text"),
        (b"...", "has the dots of the example"),
    ):  # fmt: skip
        (tmp_path / "wrong").write_bytes(content)
        said = run(*simulate, "--secret-file", str(tmp_path / "wrong"), env=bare, code=2)
        assert f"Invalid value for --secret-file: {why}" in said
    assert "sees in the list of" in run("simulate", "--help", env=bare)


@pytest.mark.slow
def test_the_simulator_ends_with_1_when_something_is_lost(database: str) -> None:
    port = free_port()
    env = environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=SECRET)
    with running("ingest", "--port", str(port), env=env):
        until(lambda: status_of(port, "/healthz") == 200)
        url = f"http://127.0.0.1:{port}/webhooks/movemint"
        said = run("simulate", "--url", url, "--secret", "wrong", "--count", "2", env=env, code=1)
        assert "LOST      2" in said
        assert said.count(f"answer 401 from {url}; trying again") == 1
    assert model.stored_bodies(database) == []


def test_the_wheel_far_from_the_checkout_can_do_what_the_checkout_can(empty_database: str) -> None:
    project = ROOT
    with tempfile.TemporaryDirectory() as far:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        wheel = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", far, str(project)]
        subprocess.run([*pip, *wheel], check=True, timeout=DEADLINE, stderr=subprocess.DEVNULL)
        [built] = Path(far).glob("*.whl")
        target = Path(far) / "installed"
        subprocess.run(
            [*pip, "install", "--no-deps", "--target", str(target), str(built)], check=True, timeout=DEADLINE
        )
        # The dependencies are this environment's; rosterlog itself can only come from the wheel.
        env = environ(DATABASE_URL=empty_database, PYTHONPATH=str(target), MOVEMINT_WEBHOOK_SECRET=SECRET)
        where = [sys.executable, "-c", "import ingest, migrations, projections; print(ingest.__file__)"]
        located = subprocess.run(where, env=env, cwd=far, capture_output=True, text=True, check=True, timeout=DEADLINE)
        assert str(target) in located.stdout
        with running("up", "--port", "0", env=env, cwd=Path(far)) as up:
            port = int(up.line(r"webhook +http://127.0.0.1:(\d+)/").group(1))
            until(lambda: status_of(port, "/readyz") == 200)


def test_a_damaged_log_is_one_line_and_the_worker_goes_on(database: str) -> None:
    model.append(database, [b"1", b"2", b"3"])
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("delete from event_log where position = 2")
    with running("worker", env=environ(DATABASE_URL=database)) as worker:
        worker.line("has no position 2")
        model.append(database, [model.body(1)], "spring")
        until(lambda: len(model.stored_roster(database, "spring")) == 1)
        assert not any("Traceback" in line for line in worker.lines)


def test_a_replica_is_enough_for_the_api(database: str) -> None:
    port = free_port()
    with running("api", "--port", str(port), env=environ(READ_DATABASE_URL=database)):
        until(lambda: status_of(port, "/readyz") == 200)


@pytest.mark.parametrize("command", [("--help",), ("status", "--json")])
def test_a_full_standard_output_is_one_line(database: str, command: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [*COMMAND, *command], env=environ(DATABASE_URL=database), stdout=full, stderr=subprocess.PIPE, text=True,
            timeout=DEADLINE, check=False,
        )  # fmt: skip
    assert done.stderr == "rosterlog: standard output cannot be written: No space left on device\n"
    assert done.returncode == 1
