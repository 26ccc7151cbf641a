"""The site that is made to fail: `up` on an embedded database, and beside it a server and a worker behind a proxy.

What ends is started again, as an init system does; nothing else is done for it.
"""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from ingest.postgres.home import cluster_in
from ingest.postgres.processes import processes_in
from tests import model
from tests.program import Running, deliver, environ, free_port, get, run, until
from tests.proxy import Proxy

_AGAIN_SECONDS = 0.3  # until an ended program is started again
_COMMAND_SECONDS = 120.0
_DISK = "1500m"


class Site:
    """The programs by name (`up`, `behind`, `worker`), the ports of the two servers, the database and its proxy."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.environ = environ(ROSTERLOG_DATA_DIR=str(data), MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())
        self.port, self.port_behind = free_port(), free_port()
        self._commands: dict[str, tuple[tuple[str, ...], Mapping[str, str]]] = {}
        self._programs: dict[str, Running] = {}
        self._over = threading.Event()
        self._probes = 0
        self.proxy: Proxy
        self.conninfo = ""
        self.token = ""

    @contextmanager
    def running(self) -> Iterator["Site"]:
        with ExitStack() as stack:
            self._start("up", ("up", "--port", str(self.port)), self.environ)
            stack.callback(self._end)
            address = self._programs["up"].line(r"database +(\S+)").group(1)
            password = (self.data / "postgres" / "password").read_text().strip()
            self.conninfo = make_conninfo(address, password=password)
            self._programs["up"].line("Ctrl-C")
            self.token = run("token", "create", "faults", env=self.environ).splitlines()[-1]
            self.proxy = stack.enter_context(Proxy(self.conninfo).running())
            behind = {**self.environ, "DATABASE_URL": self.proxy.conninfo}
            self._start("behind", ("serve", "--port", str(self.port_behind)), behind)
            self._start("worker", ("worker",), behind)
            threading.Thread(target=self._keep, daemon=True).start()
            yield self

    def pid(self, name: str) -> int:
        """The process of a program, once it runs."""
        until(lambda: self._programs[name].process.poll() is None)
        return self._programs[name].process.pid

    def pid_of_folding(self) -> int:
        """The worker that `up` has started."""

        def find() -> int | None:
            with suppress(psutil.Error):
                for child in psutil.Process(self.pid("up")).children(recursive=True):
                    if "worker" in child.cmdline():
                        return int(child.pid)
            return None

        return int(until(find))

    def pid_of_database(self) -> int:
        cluster = cluster_in(self.data, lambda _line: None)
        return int(until(lambda: processes_in(cluster.data, cluster.account).postmaster))

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        """A session of the database's owner, which is not one of the programs."""

        def connect() -> psycopg.Connection[Any] | None:
            with suppress(psycopg.OperationalError):
                return psycopg.connect(self.conninfo, autocommit=True, connect_timeout=5)
            return None

        connection = until(connect)
        with suppress(psycopg.OperationalError), connection:
            yield connection

    def command(self, *args: str, **settings: str) -> Running:
        """A command of a person, as a process of its own, with more settings."""
        return Running(args, {**self.environ, **settings})

    def succeeds(self, *args: str, **settings: str) -> None:
        """Run a command of a person to its end, which has to be a good one."""
        command = self.command(*args, **settings)
        command.process.wait(timeout=_COMMAND_SECONDS)
        assert command.stop() == 0, "\n".join(command.lines)

    def probe(self, note: Callable[[bytes], None]) -> tuple[float, float]:
        """Seconds until both servers accept a delivery, and until it is on the roster. `note` gets the accepted."""
        begun = time.monotonic()
        ids = []
        for port in (self.port, self.port_behind):
            self._probes += 1
            ids.append(f"probe-{self._probes}")
            body = model.body(ids[-1], first_name="Probe")
            until(lambda: _accepts(port, body))  # noqa: B023 - called within the loop
            note(body)
        accepted = time.monotonic()
        for id_ in ids:
            until(lambda: self._has(id_))  # noqa: B023
        return accepted - begun, time.monotonic() - begun

    def _has(self, id_: str) -> bool:
        with suppress(OSError, ValueError):
            return get(self.port, f"/v1/participants/{id_}", self.token)[0] == 200
        return False

    def _start(self, name: str, args: tuple[str, ...], env: Mapping[str, str]) -> None:
        self._commands[name] = (args, env)
        self._programs[name] = Running(args, env)

    def _keep(self) -> None:
        """Start again what ends."""
        while not self._over.wait(_AGAIN_SECONDS):
            for name, program in list(self._programs.items()):
                if program.process.poll() is not None and not self._over.is_set():
                    program.stop()
                    self._programs[name] = Running(*self._commands[name])

    def _end(self) -> None:
        self._over.set()
        time.sleep(2 * _AGAIN_SECONDS)
        for name in reversed(self._programs):
            self._programs[name].stop()


def _accepts(port: int, body: bytes) -> bool:
    with suppress(OSError, ValueError):
        return deliver(port, body)[0] == 200
    return False


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for the site's data; for root a small disk of its own, which can be filled."""
    with tempfile.TemporaryDirectory(prefix="rosterlog-faults-") as name:
        path = Path(name)
        path.chmod(0o711)
        mounted = os.geteuid() == 0 and _mount(path)
        try:
            yield path / "data"
        finally:
            if mounted:
                subprocess.run(["umount", "--lazy", path], check=True)


def _mount(path: Path) -> bool:
    options = f"size={_DISK},mode=711"
    return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=False).returncode == 0
