"""Deliveries acknowledged a second by one server process, against the ceiling and the plain design, in turn."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bench.endpoints import PLAIN_TABLE
from ingest import postgres
from ingest.database import sync_engine
from ingest.migrate import migrate

KINDS = ("rosterlog", "ceiling", "plain", "plain, tuned")
ROUNDS = 5
CONNECTIONS = 64
DELIVERIES = 20_000
MILLION = 10 * 100_000


def main() -> None:
    print(f"{os.cpu_count()} x {_processor()}, Python {platform.python_version()}, {CONNECTIONS} connections")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with postgres.server(Path(folder) / "data", print) as database:
            engine = sync_engine(database.conninfo)
            migrate(engine)
            engine.dispose()
            with psycopg.connect(database.conninfo, autocommit=True) as connection:
                connection.execute(PLAIN_TABLE)
                print(connection.execute("select split_part(version(), ' on ', 1)").fetchone())
                _show_settings(connection)
            compare(database.conninfo)
            show_memory(database.conninfo)


def compare(conninfo: str) -> None:
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(ROUNDS + 1):
        for kind in KINDS:
            with serving(kind, conninfo) as (port, _):
                rate = load(port, DELIVERIES, seed=number)
            if number > 0:  # the first round warms up
                rates[kind].append(rate)
                print(f"round {number}  {kind:<14}{rate:>8.0f}/s", flush=True)
    print(f"\n{'':<26}{'median':>8}{'min':>8}{'max':>8}")
    for kind in KINDS:
        _row(f"{kind} /s", rates[kind], 0)
    for other in KINDS[1:]:
        pairs = [ours / theirs for ours, theirs in zip(rates["rosterlog"], rates[other], strict=True)]
        _row(f"rosterlog / {other}", pairs, 2)


def show_memory(conninfo: str) -> None:
    """The server's resident memory over a million deliveries."""
    print("\nmemory of the server, MB, after each 100,000 deliveries:")
    with serving("rosterlog", conninfo) as (port, pid):
        for part in range(10):
            load(port, MILLION // 10, seed=1000 + part)
            status = Path(f"/proc/{pid}/status").read_text()
            resident = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
            print(f"{int(resident) / 1024:.0f}", end=" ", flush=True)
    print()


@contextmanager
def serving(kind: str, conninfo: str) -> Iterator[tuple[int, int]]:
    """A server process of its own; gives its port and its process id."""
    command = [sys.executable, "-m", "bench.endpoints", kind, conninfo]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.terminate()


def load(port: int, count: int, seed: int) -> float:
    """Deliveries acknowledged a second. Every one must be answered 200."""
    command = [sys.executable, "-m", "bench.load", *map(str, (port, count, CONNECTIONS, seed))]
    answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout)
    assert answer["answers"] == {"200": count}, answer
    return float(count / answer["seconds"])


def _row(name: str, values: list[float], digits: int) -> None:
    shown = (statistics.median(values), min(values), max(values))
    print(f"{name:<26}" + "".join(f"{value:>8.{digits}f}" for value in shown))


def _show_settings(connection: psycopg.Connection) -> None:
    for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        row = connection.execute("select current_setting(%s)", [name]).fetchone()
        print(f"{name} = {row[0] if row else '?'}")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


main()
