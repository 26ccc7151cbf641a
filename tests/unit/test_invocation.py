"""What commands in messages are printed as: they run where they are pasted, with the program's path and data folder."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from ingest.cli.invocation import Invocation, invocation_of, runnable, with_folder
from ingest.cli.main import COMMANDS as RECEIVING
from ingest.cli.summary import summary_of
from ingest.cli.terminal import say
from projections.cli.main import COMMANDS as ANSWERING
from tests import ROOT

COMMANDS = {**RECEIVING, **ANSWERING}
LOADED_BY_NO_HELP = ("sqlalchemy", "psycopg", "starlette", "uvicorn", "pydantic", "alembic", "httpx2", "msgspec")


def called(called_as: str, environ: dict[str, str] | None = None, executable: str = "/usr/bin/python3") -> Invocation:
    return invocation_of(called_as, executable, environ or {}, COMMANDS)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A program in a folder whose name has a blank."""
    program = tmp_path / "a folder" / "bin" / "rosterlog"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_a_program_that_is_found_by_its_name_is_called_by_it(installed: Path) -> None:
    assert called("rosterlog").runnable("run rosterlog migrate") == "run rosterlog migrate"
    on_path = called(str(installed), {"PATH": f"/nowhere:{installed.parent}"})
    assert on_path.runnable("run rosterlog migrate") == "run rosterlog migrate"


def test_any_other_is_called_by_its_whole_path_quoted(installed: Path) -> None:
    for environ in ({}, {"PATH": "/usr/bin:/bin"}):
        assert called(str(installed), environ).runnable("run rosterlog migrate") == f"run '{installed}' migrate"
    beside = called(str(ROOT / "projections/__main__.py"), executable=str(installed.with_name("python")))
    assert beside.runnable("rosterlog status shows it") == f"'{installed}' status shows it"
    alone = called(str(ROOT / "projections/__main__.py"))
    assert alone.runnable("rosterlog status shows it") == "/usr/bin/python3 -m projections status shows it"


def test_the_data_folder_is_named_where_it_was_set_and_is_in_use() -> None:
    environ = {"ROSTERLOG_DATA_DIR": "/srv/my data"}
    message = "run rosterlog erase --reapply, then rosterlog verify"
    where = "ROSTERLOG_DATA_DIR='/srv/my data' rosterlog"
    assert called("rosterlog", environ).runnable(message) == f"run {where} erase --reapply, then {where} verify"
    assert called("rosterlog", {**environ, "DATABASE_URL": "postgresql:///x"}).runnable(message) == message
    other = f"try {with_folder(Path('/it is/here'))}rosterlog up --demo"
    assert called("rosterlog", environ).runnable(other) == other


def test_the_name_of_the_program_in_a_sentence_stays() -> None:
    for message in (
        "another rosterlog command has held it", "rosterlog needs PostgreSQL 15", "rosterlog up is running already",
        "a newer rosterlog (to 7)", "pip install 'rosterlog[embedded]'", "/opt/rosterlog status", "rosterlog logs on",
    ):  # fmt: skip
        assert called("/opt/rosterlog").runnable(message) == message
    assert runnable("run rosterlog migrate") == "run rosterlog migrate", "no command runs here"


def test_what_a_command_says_is_written_so(capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(click.Command("log")) as context:
        called("/opt/bin/rosterlog", {"ROSTERLOG_DATA_DIR": "/data"}).remember(context)
        say("rosterlog verify tells more")
    assert capsys.readouterr().err == "rosterlog: ROSTERLOG_DATA_DIR=/data /opt/bin/rosterlog verify tells more\n"


def test_the_help_imports_no_command() -> None:
    program = (
        "import sys; sys.argv = ['rosterlog', '--help']\n"
        "from projections.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: print(*{name.partition('.')[0] for name in sys.modules}, *sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert not loaded & {*LOADED_BY_NO_HELP, *(place.partition(":")[0] for place in COMMANDS.values())}
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout


def test_status_loads_nothing_of_migrations_and_of_servers() -> None:
    program = "import sys, projections.cli.status; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"alembic", "sqlalchemy.orm", "sqlalchemy.ext.asyncio", "starlette", "uvicorn"} & {
        *loaded.stdout.split()
    }


@pytest.mark.parametrize(("name", "place"), COMMANDS.items(), ids=COMMANDS.keys())
def test_every_command_has_a_whole_sentence_in_the_list(name: str, place: str) -> None:
    summary = summary_of(place)
    assert len(summary) > 10, name
    assert summary.endswith(".")
