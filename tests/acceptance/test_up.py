"""`rosterlog up`, as a newcomer and as an operator meet it."""

import json
import os
import re
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests import DEADLINE, model
from tests.program import COMMAND, deliver, environ, free_port, get, run, running, status_of, until
from tests.scrape import scraped

pytestmark = pytest.mark.acceptance


@pytest.fixture
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rosterlog-up-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "data"


def processes_of(data: Path) -> list[psutil.Process]:
    """Every process that works on a data folder: PostgreSQL's, and ours by their environment."""
    working = []
    for process in psutil.process_iter():
        try:
            is_ours = process.environ().get("ROSTERLOG_DATA_DIR") == str(data) or str(data) in " ".join(
                process.cmdline()
            )
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if is_ours:
            working.append(process)
    return working


def worker_of(up: int) -> psutil.Process:
    """The worker below an `up`."""

    def find() -> psutil.Process | None:
        children = psutil.Process(up).children(recursive=True)
        return next((child for child in children if "worker" in child.cmdline()), None)

    worker = until(find)
    assert isinstance(worker, psutil.Process)
    return worker


def pasted(*lines: str) -> tuple[str, str]:
    """What lines answer in a terminal of another folder, without any setting: the variable TOKEN, and their output."""
    script = "\n".join((*lines, 'echo; echo "$TOKEN"'))
    said = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd="/", env=environ(PATH=os.defpath), capture_output=True,
        text=True, check=True, timeout=DEADLINE,
    )  # fmt: skip
    *answer, token = said.stdout.splitlines()
    return token, "".join(answer)


def test_the_demo_shows_people_through_the_very_line_it_prints_and_keeps_them(data: Path) -> None:
    env = environ(ROSTERLOG_DATA_DIR=str(data))
    port = free_port()
    with running("up", "--demo", "--port", str(port), env=env) as up:
        curl = shlex.split(up.line(r"(curl .*)").group(1))
        answer = json.loads(
            subprocess.run([*curl, "--silent"], capture_output=True, check=True, timeout=DEADLINE).stdout
        )
        assert len(answer["data"]) == 3
        assert answer["data"][0]["first_name"]
        assert answer["position"] == 240
        assert up.line(r"webhook +(.*)").group(1) == f"http://127.0.0.1:{port}/webhooks/movemint"
        token = up.line(r"token +(rosterlog_\S+)").group(1)
        seen = get(port, "/v1/participants?limit=1000", token)[2]["data"]
        assert len(seen) == 200
        assert up.line("kept").string == "kept      240 stored, 24 duplicates"
        assert up.line("refused").string.split()[1] == "1"
        assert up.stop() == 0
    assert processes_of(data) == []
    shown = json.loads(run("status", "--json", env=env))
    assert (shown["database"], shown["is_demo"]) == (f"the embedded one in {data}", True)
    [status] = shown["sources"]
    assert (status["head"], status["lag"], status["quarantined"]) == (240, 0, 0)
    which, demo, *_, token = run("token", "create", "mistaken", env=env).splitlines()
    assert which == f"rosterlog: database: the embedded one in {data}"
    assert "the demo's made-up people are in this database" in demo
    assert token.startswith("rosterlog_")
    with running("up", "--demo", "--port", str(port), env=env) as up:
        token = up.line(r"token +(rosterlog_\S+)").group(1)
        assert get(port, "/v1/participants?limit=1000", token)[2]["data"] == seen
        assert up.line("kept").string == "kept      0 stored, 264 duplicates"
    assert processes_of(data) == []


def test_the_demos_people_never_join_real_registrations(data: Path) -> None:
    env = environ(
        ROSTERLOG_DATA_DIR=str(data), MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode(),
        ROSTERLOG_PUBLIC_URL="https://example.org/rosterlog", ROSTERLOG_PORT="tcp://10.0.0.1:8000",
    )  # fmt: skip
    port = free_port()
    with running("up", "--port", str(port), env=env) as up:
        up.line("Ctrl-C")
        assert up.line("^webhook +(.*)").group(1) == "https://example.org/rosterlog/webhooks/movemint"
        assert up.line("^roster +(.*)").group(1) == "https://example.org/rosterlog/v1/participants"
        assert f"'http://127.0.0.1:{port}/v1/participants?limit=3'" in up.line("^try").string, "it works from here"
        until(lambda: status_of(port, "/readyz") == 200)
        assert deliver(port, model.body(1))[0] == 200
        assert len([line for line in up.lines if "variables of Kubernetes" in line]) == 1, "not by the worker again"
    refused = run("up", "--demo", "--port", str(port), env=env, code=2)
    assert "registrations" in refused
    assert "such as ROSTERLOG_DATA_DIR=demo rosterlog up --demo" in refused


def test_a_real_users_up_folds_what_is_delivered_and_a_dead_worker_is_replaced(data: Path) -> None:
    data = data.with_name("the data")
    port, observed = free_port(), str(free_port())
    env = environ(ROSTERLOG_DATA_DIR=str(data), MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())
    with running("up", "--port", str(port), env={**env, "ROSTERLOG_METRICS_PORT": observed}) as up:
        up.line("Ctrl-C")
        until(lambda: status_of(port, "/readyz") == 200)
        until(lambda: "rosterlog_database_up 1" in scraped(int(observed))[1])
        token, answer = pasted(up.line("^token +(.*)").group(1), up.line("^try +(.*)").group(1))
        assert json.loads(answer) == {"data": [], "next": None, "position": 0}
        assert deliver(port, model.body(1, first_name="Ada"))[0] == 200
        until(lambda: get(port, "/v1/participants/1", token)[0] == 200)

        worker_of(up.process.pid).kill()
        until(lambda: status_of(port, "/readyz") == 503)
        up.line("worker stopped with exit code -9; starting it again in 0.5 s")
        assert deliver(port, model.body(2))[0] == 200
        until(lambda: status_of(port, "/readyz") == 200)
        until(lambda: get(port, "/v1/participants/2", token)[0] == 200)

        assert "running already" in run("up", "--port", str(free_port()), env=env, code=1)
        elsewhere = {**env, "ROSTERLOG_DATA_DIR": str(data.with_name("elsewhere"))}
        assert f"127.0.0.1 port {port} is taken" in run("up", "--port", str(port), env=elsewhere, code=1)
        assert up.stop(signal.SIGTERM) == 0
    assert processes_of(data) == []


@pytest.mark.slow
def test_promise_16_up_replaces_a_worker_that_stands_still_and_a_database_that_died(data: Path) -> None:
    env = environ(ROSTERLOG_DATA_DIR=str(data), MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())
    port = free_port()
    with running("up", "--port", str(port), env=env) as up:
        up.line("Ctrl-C")
        token = run("token", "create", "test", env=env).splitlines()[-1]
        until(lambda: status_of(port, "/readyz") == 200)

        stopped = worker_of(up.process.pid)
        stopped.suspend()
        assert deliver(port, model.body(1))[0] == 200
        until(lambda: "worker (it has not looked at the log" in str(get(port, "/readyz")[2]))
        up.line("worker did not move any more and was killed")
        until(lambda: get(port, "/v1/participants/1", token)[0] == 200)
        until(lambda: status_of(port, "/readyz") == 200)
        worker = worker_of(up.process.pid)

        os.kill(int((data / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
        up.line("PostgreSQL has died: starting it again")
        until(lambda: deliver(port, model.body(2))[0] == 200)
        until(lambda: get(port, "/v1/participants/2", token)[0] == 200)
        until(lambda: status_of(port, "/readyz") == 200)
        assert worker.is_running()
    assert processes_of(data) == []


def test_a_killed_up_leaves_nothing_that_hinders_the_next(data: Path) -> None:
    env = environ(ROSTERLOG_DATA_DIR=str(data), MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())
    port = free_port()
    with running("up", "--port", str(port), env=env) as up:
        up.line("Ctrl-C")
        assert deliver(port, model.body(1))[0] == 200
        worker = worker_of(up.process.pid)
        os.kill(up.process.pid, signal.SIGKILL)
        up.process.wait(timeout=DEADLINE)
        psutil.wait_procs([worker], timeout=DEADLINE)
        assert not worker.is_running()
        run("token", "create", "my-program", env=env)
    with running("up", "--port", str(port), env=env) as up:
        up.line("Ctrl-C")
        assert not any(line.startswith("token") for line in up.lines), "there is one, and its name is taken"
        assert deliver(port, model.body(1)) == (200, {"status": "duplicate", "source": "movemint", "position": 1})
    assert processes_of(data) == []


def test_asked_to_end_while_it_starts_however_often_up_leaves_no_server_behind(data: Path) -> None:
    env = environ(ROSTERLOG_DATA_DIR=str(data), MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())
    with running("up", "--port", "0", env=env) as up:
        until(lambda: (data / "postgres" / "data" / "postmaster.pid").exists())
        assert up.stop(signal.SIGTERM, insists=True) == 128 + signal.SIGTERM
    assert processes_of(data) == []


def test_a_data_folder_named_relative_to_the_working_folder_stays_there(data: Path) -> None:
    env = environ(ROSTERLOG_DATA_DIR="data")
    subprocess.run([*COMMAND, "migrate"], env=env, cwd=data.parent, check=True, timeout=DEADLINE)
    assert (data / "postgres" / "data" / "PG_VERSION").exists()
    assert not (data / "postgres").is_symlink()


def test_up_without_a_secret_says_which_setting_is_missing(data: Path) -> None:
    assert re.search("MOVEMINT_WEBHOOK_SECRET is not set", run("up", env=environ(ROSTERLOG_DATA_DIR=str(data)), code=2))
    assert not data.exists()
