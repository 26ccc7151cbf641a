"""Real replicas of an embedded PostgreSQL: copied from it while it runs, streaming, each on a port of its own."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import errors
from psycopg.conninfo import make_conninfo

from ingest.postgres.home import Cluster
from tests.fold_all import query
from tests.owned_folder import cluster
from tests.program import free_port, until
from tests.unmarked import unmarked

_SETTINGS = {"listen_addresses": "127.0.0.1", "fsync": "off", "max_standby_streaming_delay": "0"}
_CONFLICTS = "select coalesce(sum(confl_lock + confl_snapshot), 0) from pg_stat_database_conflicts"


class Standby:
    """A replica of the server in a data folder. `conninfo`: of the server's database, on the replica."""

    def __init__(self, data: Path, primary: str, name: str) -> None:
        self._cluster: Cluster = cluster(data)
        self._folder = self._cluster.home / name
        self._port = free_port()
        self.conninfo = make_conninfo(primary, host="127.0.0.1", port=self._port)
        source = make_conninfo(unmarked(primary), dbname="")
        done = self._run(
            "pg_basebackup", "--dbname", source, "--pgdata", self._folder, "--checkpoint=fast", "--write-recovery-conf",
            "--no-sync",
        )  # fmt: skip
        assert done == 0

    def start(self) -> None:
        settings = {**_SETTINGS, "port": self._port, "unix_socket_directories": self._cluster.home}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log = self._folder / "log"
        assert self._run("pg_ctl", "start", "-W", "-D", self._folder, "-l", log, "-o", options) == 0
        until(self.answers)

    def stop(self) -> None:
        """At once, in the middle of whatever it does."""
        self._run("pg_ctl", "stop", "-D", self._folder, "-m", "immediate")

    def pause(self) -> None:
        """Let it stand still and go on answering, as when nothing comes from the primary."""
        self._execute("select pg_wal_replay_pause()")
        until(lambda: query(self.conninfo, "select pg_get_wal_replay_pause_state()") == [("paused",)])

    def resume(self) -> None:
        with suppress(errors.SerializationFailure):  # what comes now may end the statement that asked for it
            self._execute("select pg_wal_replay_resume()")

    def answers(self) -> bool:
        try:
            psycopg.connect(self.conninfo).close()
        except psycopg.OperationalError:
            return False
        return True

    def conflicts(self) -> int:
        """How many statements it has ended, to go on following its primary."""
        return int(query(self.conninfo, _CONFLICTS)[0][0])

    def has_all_of(self, primary: str) -> bool:
        [(position,)] = query(primary, "select pg_current_wal_flush_lsn()::text")
        return query(self.conninfo, "select pg_last_wal_replay_lsn() >= %s::pg_lsn", position) == [(True,)]

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(statement.encode())

    def _run(self, program: str, *arguments: str | Path) -> int:
        return self._cluster.account.run(self._cluster.binaries.folder / program, *arguments).returncode

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def standby_of(data: Path, primary: str, name: str = "standby") -> Iterator[Standby]:
    """A running one, for the block. `primary`: the address of the server of the data folder, which runs."""
    standby = Standby(data, primary, name)
    try:
        standby.start()
        yield standby
    finally:
        standby.remove()
