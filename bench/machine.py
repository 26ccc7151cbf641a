"""What all measurements share: a PostgreSQL of their own, a description of the machine, and the lines of a table."""

import os
import platform
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from ingest import postgres
from ingest.database import sync_engine
from ingest.migrate import migrate

_SETTINGS = (
    "fsync", "synchronous_commit", "full_page_writes", "data_checksums", "shared_buffers", "max_wal_size",
    "checkpoint_timeout",
)  # fmt: skip


@contextmanager
def server() -> Iterator[str]:
    """Run a fresh PostgreSQL as `rosterlog up` does, print machine and settings; give its connection string."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with postgres.server(Path(folder) / "data", print) as database:
            print(f"{os.cpu_count()} x {_processor()}, Python {platform.python_version()}")
            with psycopg.connect(database.conninfo, autocommit=True) as connection:
                print(connection.execute("select split_part(version(), ' on ', 1)").fetchone())
                for name in _SETTINGS:
                    row = connection.execute("select current_setting(%s)", [name]).fetchone()
                    print(f"{name} = {row[0] if row else '?'}")
            yield database.conninfo


def database(conninfo: str, name: str) -> str:
    """Make a migrated database of this name on the server; give its connection string."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    database_conninfo = make_conninfo(conninfo, dbname=name)
    engine = sync_engine(database_conninfo)
    migrate(engine)
    engine.dispose()
    return database_conninfo


def show_head() -> None:
    print(f"\n{'':<40}{'median':>10}{'min':>10}{'max':>10}", flush=True)


def show(name: str, values: list[float], digits: int) -> None:
    shown = (statistics.median(values), min(values), max(values))
    print(f"{name:<40}" + "".join(f"{value:>10,.{digits}f}" for value in shown), flush=True)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()
