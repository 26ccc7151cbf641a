"""Standard error of every program that stays: JSON lines with a time, of the level that was set."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests import model
from tests.acceptance.test_up import data, worker_of
from tests.program import COMMAND, Running, deliver, environ, free_port, run, running, status_of, until

pytestmark = pytest.mark.acceptance
__all__ = ["data"]

SECRET = model.SECRET.decode()
AWAY = {"DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/d", "MOVEMINT_WEBHOOK_SECRET": SECRET}


class Log:
    """What a program writes to standard error, kept in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def has(self, event: str) -> bool:
        return any(event in line["event"] for line in self.lines())


@contextmanager
def logging(path: Path, *args: str, env: dict[str, str]) -> Iterator[tuple[Running, Log]]:
    """A program whose standard error goes to a file."""
    command = ("bash", "-c", 'exec "$@" 2>>"$STANDARD_ERROR"', "bash", *COMMAND)
    with running(*args, env={**env, "STANDARD_ERROR": str(path)}, command=command) as program:
        yield program, Log(path)


@pytest.mark.slow
def test_every_line_of_up_its_worker_and_what_it_starts_again_is_json(data: Path, tmp_path: Path) -> None:
    settings = {"MOVEMINT_WEBHOOK_SECRET": SECRET, "ROSTERLOG_LOG_LEVEL": "debug"}
    env = environ(ROSTERLOG_DATA_DIR=str(data), **settings)
    port = free_port()
    with logging(tmp_path / "log", "up", "--port", str(port), env=env) as (up, log):
        up.line("Ctrl-C")
        until(lambda: status_of(port, "/readyz") == 200)
        assert deliver(port, model.body(1))[0] == 200
        until(lambda: log.has("folded"))
        worker_of(up.process.pid).kill()
        until(lambda: log.has("the worker stopped with exit code -9"))
        os.kill(int((data / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
        until(lambda: log.has("PostgreSQL has died"))
        until(lambda: status_of(port, "/readyz") == 200)
        up.stop()
        lines = log.lines()
    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    assert {"database": f"the embedded one in {data}"}.items() <= lines[0].items()
    plain = [line.partition(" ")[0] for line in up.lines]
    assert plain == ["database", "webhook", "roster", "pages", "token", "try", "Ctrl-C"]


def test_at_a_terminal_up_and_its_worker_write_for_a_person(database: str) -> None:
    """Both write to the same terminal: no line of theirs is JSON."""
    controlling, terminal = os.openpty()
    os.set_blocking(controlling, False)
    env = {**environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=SECRET), "TERMINAL": os.ttyname(terminal)}
    command = ("bash", "-c", 'exec "$@" 2>>"$TERMINAL"', "bash", *COMMAND)
    said = bytearray()

    def has_said(event: bytes, times: int) -> bool:
        with suppress(BlockingIOError):
            said.extend(os.read(controlling, 65_536))
        return said.count(event) >= times

    with running("up", "--port", "0", env=env, command=command) as up:
        up.line("Ctrl-C")
        until(lambda: has_said(b"database in use", 2))  # by `up` and by its worker
        worker_of(up.process.pid).kill()
        until(lambda: has_said(b"database in use", 3))
        assert up.stop() == 0
    os.close(controlling)
    os.close(terminal)
    lines = said.decode().splitlines()
    assert any("UTC  warning  the worker stopped with exit code -9; starting it again" in line for line in lines)
    assert all(" UTC  " in line for line in lines), lines


@pytest.mark.parametrize(
    ("args", "settings", "code", "said"),
    [
        (("ingest",), {}, 2, "MOVEMINT_WEBHOOK_SECRET is not set"),
        (("worker",), {**AWAY, "ROSTERLOG_PORT": "x"}, 2, "ROSTERLOG_PORT"),
        (("serve", "--nonsense"), AWAY, 2, "No such option"),
        (("api", "--port", "0"), AWAY, 1, "the database is away"),
        (("worker",), AWAY, 1, "the database is away"),
    ],
)
def test_what_ends_a_program_is_a_line_of_its_log(
    args: tuple[str, ...], settings: dict[str, str], code: int, said: str
) -> None:
    [line] = [json.loads(line) for line in run(*args, env=environ(**settings), code=code).splitlines()]
    assert said in line["event"]
    assert (line["level"], "time" in line) == ("error", True)


def test_a_wrong_level_is_one_line_that_names_the_levels() -> None:
    [line] = run("status", env=environ(ROSTERLOG_LOG_LEVEL="loud"), code=2).splitlines()
    assert line.startswith("rosterlog: ROSTERLOG_LOG_LEVEL: ")
    assert "'debug', 'info', 'warning' or 'error'" in line


def test_the_level_is_a_setting_and_below_it_nothing_is_written(database: str, tmp_path: Path) -> None:
    for level, events in (("INFO", ["database in use", "serving"]), ("error", [])):
        port, watched = free_port(), free_port()
        env = environ(
            DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=SECRET, ROSTERLOG_LOG_LEVEL=level,
            ROSTERLOG_METRICS_PORT=str(watched),
        )  # fmt: skip
        with logging(tmp_path / level, "serve", "--port", str(port), env=env) as (serve, log):
            until(lambda port=port: status_of(port, "/readyz") == 200)  # type: ignore[misc] # called at once
            serve.stop()
            lines = log.lines()
        assert [line["event"] for line in lines if "root" not in line["event"]] == events
        places = [line["metrics"] for line in lines if line["event"] == "serving"]
        assert places == [f"http://127.0.0.1:{watched}/metrics"] * len(places)
