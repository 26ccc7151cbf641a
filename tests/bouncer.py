"""A real PgBouncer before the tests' PostgreSQL, in transaction mode, with few sessions for all its clients."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ingest.database import SERVICE_ROLES
from ingest.postgres import as_login
from tests import DEADLINE
from tests.program import free_port, until
from tests.tools import tool
from tests.unmarked import unmarked

SESSIONS = 3  # of each login on the server, for all clients
_CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server_port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 500
max_prepared_statements = {prepared}
server_login_retry = 1
server_lifetime = 20
logfile = {folder}/log
"""


class Bouncer:
    """`folder`: of its configuration and log. It can be killed and started again."""

    def __init__(self, database: str, folder: Path, program: str, *, prepared: int | None) -> None:
        self._database, self._folder, self._program = database, folder, program
        self.port = free_port()
        at = conninfo_to_dict(database)
        configuration = _CONFIGURATION.format(
            server_port=at["port"], port=self.port, folder=folder, sessions=SESSIONS, prepared=prepared
        )
        if prepared is None:
            configuration = configuration.replace("max_prepared_statements = None\n", "")
        (folder / "pgbouncer.ini").write_text(configuration)
        logins = [conninfo_to_dict(as_login(database, role)) for role in SERVICE_ROLES]
        users = [f'"{login["user"]}" "{login["password"]}"' for login in (at, *logins)]
        (folder / "users.txt").write_text("\n".join(users))
        self._process: subprocess.Popen[bytes] | None = None

    def address(self, role: str | None = None) -> str:
        """Through the pool, as the role's own login or as the superuser."""
        own = self._database if role is None else as_login(self._database, role)
        return make_conninfo(unmarked(own), host="127.0.0.1", port=self.port)

    def start(self) -> None:
        account = ["-u", "nobody"] if os.geteuid() == 0 else []
        self._process = subprocess.Popen(
            [self._program, "-q", *account, self._folder / "pgbouncer.ini"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(self._answers)

    def stop(self) -> None:
        """At once, in the middle of whatever goes through it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE)
            self._process = None

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.address(), connect_timeout=5).close()
        except psycopg.OperationalError:
            assert self._process is not None
            assert self._process.poll() is None, (self._folder / "log").read_text()
            return False
        return True


@contextmanager
def bouncer(database: str, program: str = "pgbouncer", *, prepared: int | None = None) -> Iterator[Bouncer]:
    """A running one before this database's server. `prepared`: how many statements it keeps; None: it cannot."""
    found = tool(program)
    with tempfile.TemporaryDirectory(prefix="rosterlog-pool-") as folder:
        Path(folder).chmod(0o777)  # so that, run as root, its account can write the log
        pool = Bouncer(database, Path(folder), found, prepared=prepared)
        pool.start()
        try:
            yield pool
        finally:
            pool.stop()
