"""The log of a program that stays: each line is JSON with a time, and an exception's message is in none."""

import json
import logging
import subprocess
import sys
from typing import Any

import psycopg
import pytest

from ingest.cli.group import SERVERS
from ingest.cli.main import COMMANDS as RECEIVING
from ingest.failures import Failure
from ingest.logs import JsonLines, TerminalLines
from projections.cli.main import COMMANDS
from tests import ROOT

FAULTS = """
import asyncio, logging, sys, threading, warnings
from ingest.logs import configure_logging, log_everything
configure_logging("debug")
log_everything()
logging.getLogger("ingest.x").debug("ours")
logging.getLogger("sqlalchemy.engine").info("canary: a statement with its parameters")
logging.getLogger("psycopg").debug("canary")
warnings.warn("old", DeprecationWarning)
thread = threading.Thread(target=lambda: int("canary"))
thread.start()
thread.join()
class Fails:
    def __del__(self): raise ValueError("canary")
Fails()
async def main():
    task = asyncio.ensure_future(fail())
    await asyncio.sleep(0)
    del task
async def fail(): raise KeyError("canary")
asyncio.run(main())
try:
    int("canary")
except ValueError as error:
    raise RuntimeError("canary") from error
"""


def formatted(error: BaseException) -> str:
    record = logging.LogRecord("ingest", logging.ERROR, "", 1, "it failed", None, (type(error), error, None))
    return str(json.loads(JsonLines().format(record))["traceback"])


def test_warnings_and_faults_anywhere_are_lines_with_their_place_and_without_their_message() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", FAULTS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert all({"time", "level", "event", "logger"} <= line.keys() for line in lines)
    assert [line["logger"] for line in lines] == [
        "ingest.x", "py.warnings", "ingest.logs", "ingest.logs", "asyncio", "ingest.logs",
    ]  # fmt: skip
    assert lines[1]["event"].endswith("DeprecationWarning: old")
    assert lines[2]["traceback"].endswith("ValueError")
    last = lines[-1]["traceback"]
    assert last.index("ValueError") < last.index("RuntimeError")
    assert 'File "<string>"' in last
    assert "canary" not in done.stderr


def test_an_exception_is_told_by_its_type_its_sqlstate_and_our_own_words() -> None:
    assert formatted(psycopg.errors.UniqueViolation("Key (email)=(canary)")) == "UniqueViolation 23505"
    assert formatted(Failure("do this next")) == "Failure: do this next"
    group = ExceptionGroup("canary", [KeyError("canary"), Failure("do this next")])
    assert formatted(group).splitlines() == ["ExceptionGroup", "KeyError", "Failure: do this next"]


def test_exceptions_that_name_each_other_as_their_cause_end() -> None:
    first, second = KeyError(1), KeyError(2)
    first.__cause__, second.__cause__ = second, first
    assert formatted(first).splitlines() == ["KeyError", "KeyError"]


def test_of_a_message_of_several_lines_the_first_is_written() -> None:
    record = logging.LogRecord("asyncio", logging.ERROR, "", 1, "it failed\nfuture: canary", None, None)
    assert json.loads(JsonLines().format(record))["event"] == "it failed"


def test_a_person_at_a_terminal_reads_the_same_in_words_that_cannot_move_the_cursor() -> None:
    error = RuntimeError("canary")
    record = logging.LogRecord(
        "x", logging.WARNING, "", 1, "it failed\x1b[2J\ncanary", None, (RuntimeError, error, None)
    )
    record.created = 0.0
    record.fields = {"source": "a\x9b", "events": 3, "gone": None, "reasons": ["b"]}
    assert TerminalLines().format(record).splitlines() == [
        '00:00:00 UTC  warning  it failed\\u001b[2J  source=a\\u009b  events=3  reasons=["b"]',
        "    RuntimeError",
    ]


@pytest.mark.parametrize("name", SERVERS)
def test_the_programs_that_stay_are_commands(name: str) -> None:
    assert name in {**COMMANDS, **RECEIVING}
