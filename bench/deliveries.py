"""Deliveries acknowledged per second by one server process, against the ceiling and the plain design, in turn."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bench.endpoints import PLAIN_TABLE
from bench.machine import show, show_head

KINDS = ("rosterlog", "ceiling", "plain", "plain, tuned")
ROUNDS = 5
CONNECTIONS = 64
DELIVERIES = 20_000
MILLION = 10 * 100_000


def measure(conninfo: str) -> None:
    print(f"{CONNECTIONS} connections")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(PLAIN_TABLE)
    compare(conninfo)
    show_memory(conninfo)


def compare(conninfo: str) -> None:
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(ROUNDS + 1):
        for kind in KINDS:
            with serving(kind, conninfo) as (port, _):
                rate = load(port, DELIVERIES, seed=number)
            if number > 0:  # the first round warms up
                rates[kind].append(rate)
                print(f"round {number}  {kind:<14}{rate:>8.0f}/s", flush=True)
    show_head()
    for kind in KINDS:
        show(f"{kind} /s", rates[kind], 0)
    for other in KINDS[1:]:
        ratios = [rosterlog / rate for rosterlog, rate in zip(rates["rosterlog"], rates[other], strict=True)]
        show(f"rosterlog / {other}", ratios, 2)


def show_memory(conninfo: str) -> None:
    """Show the server's resident memory over a million deliveries."""
    print("\nmemory of the server, MB, after each 100,000 deliveries:")
    with serving("rosterlog", conninfo) as (port, pid):
        for part in range(10):
            load(port, MILLION // 10, seed=1000 + part)
            status = Path(f"/proc/{pid}/status").read_text()
            resident = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
            print(f"{int(resident) / 1024:.0f}", end=" ", flush=True)
    print()


@contextmanager
def serving(
    kind: str, conninfo: str, python: str = sys.executable, folder: Path | None = None
) -> Iterator[tuple[int, int]]:
    """Run a server in its own process; give its port and its process id. `python`, `folder`: of another checkout."""
    command = [python, "-m", "bench.endpoints", kind, conninfo]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.terminate()


def load(port: int, count: int, seed: int) -> float:
    """Deliveries acknowledged per second. Each must be answered 200."""
    command = [sys.executable, "-m", "bench.load", *map(str, (port, count, CONNECTIONS, seed))]
    answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout)
    assert answer["answers"] == {"200": count}, answer
    return float(count / answer["seconds"])
