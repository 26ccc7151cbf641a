"""A PostgreSQL for the test run, with a migrated template of which every test gets a copy."""

import itertools
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Engine

from ingest import postgres
from ingest.database import OPERATOR_ROLE, WORKER_ROLE, sync_engine
from ingest.migrate import migrate

# What a machine may have set: every program that a test starts would compile all of rosterlog anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Of a run in the background: what a program is sent before it listens to signals would be lost, and it would go on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine fails no test.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    with _left_to_be_removed() as folder:
        Path(folder).chmod(0o711)  # so that, run as root, PostgreSQL's own account can enter
        with postgres.server(Path(folder) / "data", print) as server:
            with psycopg.connect(server.conninfo, autocommit=True) as connection:
                # No test cuts the power; what a killed process leaves behind is the same without.
                connection.execute("alter system set fsync = off")
                connection.execute("select pg_reload_conf()")
            yield server
            _stop_at_once(Path(folder) / "data")


@contextmanager
def _left_to_be_removed() -> Iterator[str]:
    """A folder that is removed once nobody waits for it: that of a million files takes minutes."""
    folder = tempfile.mkdtemp(prefix="rosterlog-test-")
    try:
        yield folder
    finally:
        remove = 'nice rm -rf "$1" </dev/null >/dev/null 2>&1 &'
        subprocess.run(["sh", "-c", remove, "sh", folder], check=True, start_new_session=True)


def _stop_at_once(data_dir: Path) -> None:
    """Without writing out some gigabyte of databases that nobody opens again."""
    pid_file = data_dir / "postgres" / "data" / "postmaster.pid"
    os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGQUIT)
    pause = threading.Event()
    while pid_file.exists():
        pause.wait(0.02)


@pytest.fixture(scope="session")
def template(server: postgres.Server) -> str:
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        connection.execute("create database template_migrated")
    engine = sync_engine(make_conninfo(server.conninfo, dbname="template_migrated"))
    migrate(engine)
    engine.dispose()
    return "template_migrated"


@pytest.fixture
def empty_database(server: postgres.Server) -> str:
    """The connection string of a database with nothing in it."""
    return create(server, "template0")


@pytest.fixture
def database(server: postgres.Server, template: str, request: pytest.FixtureRequest) -> str:
    """The connection string of a database of this test's own: migrated, or a copy of the `..._template` it asks for."""
    asked = next((name for name in request.fixturenames if name.endswith("_template")), None)
    return create(server, request.getfixturevalue(asked) if asked else template)


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    engine = sync_engine(database)
    yield engine
    engine.dispose()


@pytest.fixture
def worker_engine(database: str) -> Iterator[Engine]:
    engine = sync_engine(database, WORKER_ROLE)
    yield engine
    engine.dispose()


@pytest.fixture
def operator(database: str) -> Iterator[Engine]:
    engine = sync_engine(database, OPERATOR_ROLE)
    yield engine
    engine.dispose()


def filled(server: postgres.Server, template: str, fill: Callable[[str], object]) -> str:
    """The name of a template with rows in it, for tests that begin with the same ones. `fill`: writes them."""
    conninfo = create(server, template)
    fill(conninfo)
    return str(conninfo_to_dict(conninfo)["dbname"])


def create(server: postgres.Server, template: str) -> str:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        # Copied as files and not page by page through the log: a third of the time.
        connection.execute(f"create database {name} template {template} strategy file_copy")
    return make_conninfo(server.conninfo, dbname=name)
