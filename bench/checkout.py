"""A checkout of rosterlog with a database of its own, and the CPU that its programs and PostgreSQL take."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from bench.load import SECRET
from ingest.web.serve import bind


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds: that something took, and of CPU by the program and by PostgreSQL."""

    took: float
    program: float
    postgres: float

    @property
    def cpu(self) -> float:
        return self.program + self.postgres


@dataclass(frozen=True, slots=True)
class Checkout:
    """`python`, `folder`: where its code is. `conninfo`: of its database."""

    name: str
    python: str
    folder: Path
    conninfo: str

    def run(self, *arguments: str, conninfo: str | None = None) -> str:
        """Run Python with these arguments in the checkout, on its database or another one; give what it prints."""
        done = subprocess.run(
            [self.python, *arguments],
            cwd=self.folder,
            env=self._environ() | ({"DATABASE_URL": conninfo} if conninfo else {}),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    @contextmanager
    def running(self, *arguments: str) -> Iterator[psutil.Process]:
        """Run a program of rosterlog beside what is done with it."""
        command = [self.python, "-m", "projections", *arguments]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, cwd=self.folder, env=self._environ(), stdout=quiet, stderr=quiet) as process:
            try:
                yield psutil.Process(process.pid)
            finally:
                process.terminate()

    @contextmanager
    def serving(self) -> Iterator["Api"]:
        with bind("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        token = self.run("-m", "projections", "token", "create", f"bench-{time.monotonic_ns()}").split()[-1]
        with self.running("api", "--port", str(port)) as process:
            yield Api(_connected(port), token, process)

    def _environ(self) -> dict[str, str]:
        settings = {"DATABASE_URL": self.conninfo, "MOVEMINT_WEBHOOK_SECRET": SECRET.decode()}
        return {**os.environ, **settings, "ROSTERLOG_TOKEN_RATE": "1000000"}


@dataclass(frozen=True, slots=True)
class Api:
    """A running API server, and the one connection over which it is asked."""

    connection: HTTPConnection
    token: str
    process: psutil.Process

    def get(self, path: str, **query: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever can be written in an address
        answer: dict[str, Any] = json.loads(self.read(path, **query))
        return answer

    def read(self, path: str, **query: Any) -> bytes:  # noqa: ANN401
        headers = {"Authorization": f"Bearer {self.token}"}
        self.connection.request("GET", f"{path}?{urlencode(query, quote_via=quote)}", headers=headers)
        answer = self.connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return content


def checkouts(server: str) -> tuple[Checkout, Checkout]:
    """This checkout and the one that `BASE` in the environment names, each with a migrated database on the server."""
    base = os.environ.get("BASE")
    if base is None:
        sys.exit("set BASE to a checkout of before the change, with its .venv: BASE=../before python -m bench releases")
    both = (
        Checkout("this", sys.executable, Path.cwd(), make_conninfo(server, dbname="this")),
        Checkout(
            "base", str(Path(base).absolute() / ".venv/bin/python"), Path(base), make_conninfo(server, dbname="base")
        ),
    )
    for checkout in both:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"create database {checkout.name}".encode())
        checkout.run("-m", "projections", "migrate")
    return both


@contextmanager
def costs_of(process: psutil.Process, monitor: psycopg.Connection[Any]) -> Iterator[list[Cost]]:
    """The list gets what a process and its sessions have cost since."""
    with costs_of_several([process], monitor) as costs:
        yield costs


@contextmanager
def costs_of_several(processes: Sequence[psutil.Process], monitor: psycopg.Connection[Any]) -> Iterator[list[Cost]]:
    """The list gets what processes and their sessions have cost since."""
    costs: list[Cost] = []
    program, sessions, begun = sum(map(_cpu, processes)), _sessions(monitor), time.perf_counter()
    yield costs
    took = time.perf_counter() - begun
    postgres = sum(seconds - sessions.get(pid, 0.0) for pid, seconds in _sessions(monitor).items())
    costs.append(Cost(took, sum(map(_cpu, processes)) - program, postgres))


@contextmanager
def costs_of_run(monitor: psycopg.Connection[Any]) -> Iterator[list[Cost]]:
    """The list gets what a program that has run to its end, with its processes, and all of PostgreSQL have cost."""
    costs: list[Cost] = []
    postmaster = psutil.Process(monitor.info.backend_pid).parent()
    assert postmaster is not None
    program, postgres, begun = _cpu_of_children(), _cpu_of_all(postmaster), time.perf_counter()
    yield costs
    took = time.perf_counter() - begun
    costs.append(Cost(took, _cpu_of_children() - program, _cpu_of_all(postmaster) - postgres))


def _cpu(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cpu_of_all(postmaster: psutil.Process) -> float:
    """User and system time of a server with the sessions that have ended."""
    return float(sum(postmaster.cpu_times()[:4])) + sum(map(_cpu, postmaster.children()))


def _sessions(monitor: psycopg.Connection[Any]) -> dict[int, float]:
    """The CPU of the sessions of the monitor's database but its own, by process id."""
    pids = monitor.execute(
        "select pid from pg_stat_activity "
        "where datname = current_database() and backend_type in ('client backend', 'parallel worker') "
        "and application_name <> 'bench' and pid <> pg_backend_pid()"
    ).fetchall()
    return {pid: _cpu(psutil.Process(pid)) for (pid,) in pids if psutil.pid_exists(pid)}


def _connected(port: int) -> HTTPConnection:
    client = HTTPConnection("127.0.0.1", port, timeout=120)
    for _ in range(200):
        try:
            client.request("GET", "/readyz")
            client.getresponse().read()
        except OSError:
            client.close()
            time.sleep(0.1)
        else:
            return client
    raise TimeoutError("the server does not answer")
