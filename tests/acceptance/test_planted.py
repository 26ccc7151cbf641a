"""Planted secrets and people: after a run they are found in the places that are meant for them, and nowhere else."""

import http.client
import json
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests import DEADLINE, model
from tests.program import Running, deliver, environ, free_port, get, run, running, status_of, until

pytestmark = pytest.mark.acceptance

SECRET = "planted-secret-of-the-webhook"
PERSON = {"first_name": "Plantedfirst", "last_name": "Plantedlast", "email": "planted@example.org"}
OF_PERSON = ("Planted", "planted@")


@pytest.fixture
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rosterlog-planted-") as folder:
        Path(folder).chmod(0o711)
        (Path(folder) / "tmp").mkdir()
        (Path(folder) / "tmp").chmod(0o1777)
        yield Path(folder) / "data"


def test_planted_values_stand_in_no_log_problem_process_list_or_file(data: Path) -> None:
    temporary = data.parent / "tmp"
    env = environ(
        ROSTERLOG_DATA_DIR=str(data), MOVEMINT_WEBHOOK_SECRET=SECRET, TMPDIR=str(temporary), ROSTERLOG_LOG_LEVEL="debug"
    )
    port = free_port()
    said: list[str] = []
    with running("up", "--port", str(port), env=env) as up:
        up.line("Ctrl-C")
        until(lambda: status_of(port, "/readyz") == 200)
        token = run("token", "create", "planted", env=env).splitlines()[-1]
        password = (data / "postgres" / "password").read_text().strip()
        for number in range(3):
            content = model.body(number, **PERSON, bib=f"{number}")
            assert deliver(port, content, signature=model.signature(content, SECRET.encode()))[0] == 200
            if number == 0:
                make_trouble(make_conninfo(up.line(r"database +(\S+)").group(1), password=password))
        said += [str(deliver(port, model.body(9, **PERSON), signature=wrong)) for wrong in ("", "0" * 64, token)]
        until(lambda: get(port, "/v1/participants/0", token)[0] == 200)
        for asked in ("?email=planted@example.org&q=Plantedlast", "?Plantedfirst=1", "/Plantedlast", ".csv?q=planted@"):
            get_status(port, f"/v1/participants{asked}", token)
        said += [str(get(port, path, token)) for path in ("/v1/participants?limit=x", "/v1/participants/nobody", "/no")]
        said.append(str(get(port, "/v1/participants", f"{token}x")))
        for command in (("status",), ("quarantine", "list"), ("fields",), ("log", "list"), ("verify",)):
            said.append(run(*command, env=env, code=int(command == ("status",))))  # 1: an event is parked
        dismiss = ("quarantine", "dismiss", "2", "--reason", "not now")
        said.append(run(*dismiss, env=env))
        run("export", "participants", "--format", "xlsx", "--output", str(data.parent / "people.xlsx"), env=env)
        said += process_list(data)
        assert_no_cores(up)
        said.append(statistics(make_conninfo(up.line(r"database +(\S+)").group(1), password=password)))
    lines = [json.loads(line) for line in up.lines if line.startswith("{")]
    assert {"answered", "folded", "parked"} <= {line["event"] for line in lines}
    assert {400, 404} <= {line.get("status") for line in lines}
    said += up.lines
    said.append((data / "postgres").resolve().joinpath("postgres.log").read_text())
    said += [path.read_text(errors="replace") for path in temporary.rglob("*") if path.is_file()]
    everything = "\n".join(said)
    for planted in (SECRET, token, password, *OF_PERSON):
        assert planted not in everything, planted


def get_status(port: int, path: str, token: str) -> int:
    """Ask, without keeping the answer, which has people in it."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)) as connection:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status


def make_trouble(conninfo: str) -> None:
    """Let PostgreSQL refuse a person's row, which its log could show."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        until(lambda: connection.execute("select to_regclass('participants_build_1')").fetchone() != (None,))
        connection.execute("alter table participants_build_1 add constraint trouble check (bib <> '1')")


def process_list(data: Path) -> list[str]:
    """The command lines of every process that works on the folder, as every account of the machine sees them."""
    lines = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            lines.append(" ".join(process.cmdline()))
    return [line for line in lines if str(data) in line or "postgres" in line or "projections" in line]


def assert_no_cores(up: Running) -> None:
    """No process leaves its memory in a file when it crashes."""
    processes = [psutil.Process(up.process.pid)]
    processes += processes[0].children(recursive=True)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            assert process.rlimit(psutil.RLIMIT_CORE)[0] == 0, process


def statistics(conninfo: str) -> str:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        return str(connection.execute("select query from pg_stat_activity").fetchall())
