"""Why a program ends at its start, as the docs list it: `status` and `doctor` say it, too; no scrape is answered."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests import DEADLINE, ROOT, model
from tests.owned_folder import NAMESPACES, needs_namespaces
from tests.program import COMMAND, environ, free_port, get, run

pytestmark = pytest.mark.acceptance
_NO_LOCKS = "import fcntl\ndef flock(*_):\n    raise OSError(37, 'No locks available')\nfcntl.flock = flock\n"


@pytest.fixture
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rosterlog-start-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "data"


def is_said(line: str, server: str, before: tuple[str, ...] = (), **settings: str) -> None:
    """By the server, which ends: then the alert is RosterlogDown. By `status`, and as a finding of `doctor`."""
    port = free_port()
    env = environ(MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode(), **settings)
    for command in ((server,), ("status",), ("doctor",)):
        watched = {"ROSTERLOG_METRICS_PORT": str(port), "ROSTERLOG_PORT": "0"}
        ended = subprocess.run(
            [*before, *COMMAND, *command], env={**env, **watched}, cwd=ROOT, text=True, timeout=DEADLINE, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert ended.returncode in (1, 2), ended.stdout
        found = [said for said in ended.stdout.splitlines() if line in said]
        assert found, ended.stdout
        assert command != ("doctor",) or found[0].startswith("fail "), found
    with pytest.raises(OSError, match="refused"):
        get(port, "/metrics")


def test_the_folder_of_another_database(data: Path) -> None:
    is_said(f"there is no database in {data}", "worker", ROSTERLOG_DATA_DIR=str(data))


def test_a_file_system_without_locks(data: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(_NO_LOCKS)
    run("migrate", env=environ(ROSTERLOG_DATA_DIR=str(data)))
    is_said("has no locks that work", "up", ROSTERLOG_DATA_DIR=str(data), PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")


@needs_namespaces
def test_a_server_that_was_started_by_hand_in_another_container(data: Path) -> None:
    run("migrate", env=environ(ROSTERLOG_DATA_DIR=str(data)))
    home = (data / "postgres").resolve()
    next(home.glob("**/rosterlog.lock")).unlink()
    (home / "data" / "postmaster.pid").write_text(
        f"77\n{home / 'data'}\n1\n{free_port()}\n{home}\n127.0.0.1\n1 1\nready\n"
    )
    is_said("is of a PostgreSQL that rosterlog did not start", "up", NAMESPACES, ROSTERLOG_DATA_DIR=str(data))


def test_a_database_that_is_not_migrated(empty_database: str) -> None:
    is_said("the database is not migrated", "serve", DATABASE_URL=empty_database)


def test_a_database_from_before_the_first_release(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create table alembic_version as select '0009'::text as version_num")
    is_said("the database is from before the first release (at 0009)", "ingest", DATABASE_URL=empty_database)
