"""A node: a Patroni, the PostgreSQL that it runs, and the ways by which clients and the other node reach both."""

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import yaml
from psycopg.conninfo import make_conninfo

from ingest.postgres.account import Account
from ingest.postgres.binaries import Binaries
from tests import DEADLINE, ROOT
from tests.program import free_port
from tests.proxy import Proxy

PASSWORD = "of-the-tests"
CONFIGURATION = ROOT / "deploy" / "patroni" / "patroni.yml"


class Node:
    """`clients`: the way of the programs to it. `peers`: the ways between it, the other node and etcd.

    Both are proxies, which pass everything on until they are told to swallow it.
    """

    def __init__(self, name: str, folder: Path, account: Account, binaries: Binaries, python: Path) -> None:
        self.name = name
        self._folder, self._account, self._binaries, self._python = folder, account, binaries, python
        self._port, self._rest = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.clients: Proxy
        self.peers: list[Proxy]

    @contextmanager
    def running(self, etcd_port: int, dcs: Mapping[str, Any]) -> Iterator["Node"]:
        """`dcs`: what the first node writes into etcd, which holds for all of them."""
        self._account.make_folder(self._folder)
        with ExitStack() as stack:
            ways = [self._port, self._port, self._rest, etcd_port]
            self.clients, *self.peers = (stack.enter_context(Proxy(f"port={port}").running()) for port in ways)
            self._write(dcs)
            self.start()
            stack.callback(self.stop)
            yield self

    @property
    def data(self) -> Path:
        return self._folder / "data"

    def address(self, **parameters: str) -> str:
        """Of its PostgreSQL, for a client, as the superuser."""
        given = {"user": "postgres", "password": PASSWORD, "dbname": "postgres", "connect_timeout": "2", **parameters}
        return make_conninfo(host="127.0.0.1", port=self.clients.port, **given)

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._python, "-m", "patroni", self._folder / "patroni.yml"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd="/", env=self._environ(), start_new_session=True, user=self._account.uid,
                group=self._account.gid, extra_groups=None if self._account.uid is None else [],
            )  # fmt: skip

    def stop(self) -> None:
        """In order if it does so in time; at the end nothing of it is left."""
        for number, seconds in ((signal.SIGTERM, DEADLINE / 2), (signal.SIGKILL, DEADLINE)):
            self.signal(number)
            if not psutil.wait_procs(self._processes(), seconds)[1]:
                break
        if self._process is not None:
            self._process.wait(DEADLINE)

    def kill(self) -> None:
        """Patroni and PostgreSQL at once."""
        self.signal(signal.SIGKILL)
        psutil.wait_procs(self._processes(), DEADLINE)
        if self._process is not None:
            self._process.wait(DEADLINE)

    def kill_postgres(self) -> None:
        for process in self._of_postgres():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def signal(self, number: int) -> None:
        """To all its processes; those that end in order are told by the first of them."""
        first_only = number == signal.SIGTERM
        for process in self._processes()[: 1 if first_only else None]:
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)

    def cut(self, *, clients: bool) -> None:
        """Let nothing pass to and from the other node and etcd any more; `clients`: to and from the programs."""
        for way in [*self.peers, *([self.clients] if clients else [])]:
            way.silence()
            way.swallows = True

    def join(self) -> None:
        """Let everything pass again; what was cut stays dead."""
        for way in (*self.peers, self.clients):
            way.swallows = False

    def members(self) -> dict[str, dict[str, Any]]:
        """What this node says of all of them, by name; nothing if it does not answer."""
        with (
            suppress(OSError, ValueError),
            urllib.request.urlopen(f"http://127.0.0.1:{self._rest}/cluster", timeout=1) as answer,
        ):
            return {member["name"]: member for member in json.load(answer)["members"]}
        return {}

    def control(self, *args: str) -> str:
        """Run patronictl to its end; gives what it said."""
        command = [str(self._python.with_name("patronictl")), "-c", str(self._folder / "patroni.yml"), *args]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=DEADLINE, check=False, env=self._environ(), cwd="/"
        )
        return done.stdout + done.stderr

    def _processes(self) -> list[psutil.Process]:
        """Patroni, then the PostgreSQL that it has started, which is no child of it."""
        found = []
        if self._process is not None and self._process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                patroni = psutil.Process(self._process.pid)
                found = [patroni, *patroni.children(recursive=True)]
        return [*found, *(each for each in self._of_postgres() if each not in found)]

    def _of_postgres(self) -> list[psutil.Process]:
        with suppress(OSError, ValueError, IndexError, psutil.Error):
            first = psutil.Process(int((self.data / "postmaster.pid").read_text().splitlines()[0]))
            if str(self.data) in " ".join(first.cmdline()):
                return [first, *first.children(recursive=True)]
        return []

    def _write(self, dcs: Mapping[str, Any]) -> None:
        """The file of `deploy/patroni`, with this node's ports and folders."""
        pg, rest, etcd = (proxy.port for proxy in self.peers)
        settings = yaml.safe_load(CONFIGURATION.read_text().replace("PASSWORD", PASSWORD))
        settings["name"] = self.name
        settings["restapi"] = {"listen": f"127.0.0.1:{self._rest}", "connect_address": f"127.0.0.1:{rest}"}
        # As proxies: otherwise the addresses that etcd has of itself are used, and these lead round the proxy.
        settings["etcd3"] = {"hosts": [f"127.0.0.1:{etcd}"], "use_proxies": True}
        settings["bootstrap"]["dcs"] |= dcs
        settings["postgresql"] |= {
            "listen": f"127.0.0.1:{self._port}",
            "connect_address": f"127.0.0.1:{pg}",
            "data_dir": str(self.data),
            "bin_dir": str(self._binaries.folder),
            "pgpass": str(self._folder / "pgpass"),
            "parameters": {"unix_socket_directories": str(self._folder)},
            "pg_hba": [*map(_here, settings["postgresql"]["pg_hba"])],
        }
        path = self._folder / "patroni.yml"
        path.write_text(yaml.safe_dump(settings))
        self._account.own(path)

    def _environ(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(self._folder), "TZ": "UTC"}


def _here(line: str) -> str:
    """A line of pg_hba.conf for loopback, and for an account of another name than PostgreSQL's superuser."""
    return line.replace("10.0.0.0/24", "127.0.0.1/32").replace(" peer", " trust")
