"""The folder of an embedded PostgreSQL: makes or finds it, with the account and the programs for it."""

import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import make_conninfo

from ingest.postgres.account import Account, EmbeddedPostgresError, account_for, reachable_folder
from ingest.postgres.binaries import Binaries, find_binaries
from ingest.postgres.own_logins import marked

NAME = "rosterlog"  # of the superuser and of the database
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A running server, as its `postmaster.pid` tells: `status` is starting, ready, stopping or standby."""

    pid: int
    port: int
    sockets: Path
    status: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data folder, the account that runs PostgreSQL on it, and the programs."""

    home: Path
    account: Account
    binaries: Binaries

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    @property
    def lock(self) -> Path:
        """The file whose lock a running server holds. It is in the data folder: a copy of that has one of its own."""
        return self.data / "rosterlog.lock"

    @property
    def password(self) -> str:
        try:
            return (self.home / "password").read_text().strip()
        except OSError as error:
            missing = f"{self.home / 'password'}: {error.strerror}"
            raise EmbeddedPostgresError(f"the embedded database needs its password: {missing}") from None

    def conninfo(self, postmaster: Postmaster, dbname: str = NAME) -> str:
        """By the socket, and by TCP if the socket's file is gone."""
        hosts = f"{self.sockets(postmaster)},127.0.0.1"
        own = make_conninfo(host=hosts, port=postmaster.port, user=NAME, password=self.password, dbname=dbname)
        return marked(own)

    def sockets(self, postmaster: Postmaster) -> Path:
        """The folder of the server's socket; if this data folder was moved while the server runs, it moved as well."""
        return self.home if (self.home / f".s.PGSQL.{postmaster.port}").exists() else postmaster.sockets


def cluster_in(data_dir: Path, say: Say) -> Cluster:
    """The cluster of a data folder, made if there is none."""
    if (data_dir / "PG_VERSION").exists():
        raise EmbeddedPostgresError(f"{data_dir} is a PostgreSQL data folder itself: set ROSTERLOG_DATA_DIR to another")
    link = data_dir / "postgres"
    existing = link.resolve() if (link / "data" / "PG_VERSION").exists() else None
    account = account_for(existing / "data" if existing else None)
    if existing and account.uid is not None and not account.can_reach(existing / "data"):
        raise EmbeddedPostgresError(
            f"PostgreSQL runs as {account.name}, which cannot enter {existing}: put it below a folder that it can enter"
        )
    binaries = find_binaries(_major(existing)).reachable_by(account)
    home = existing or _make_home(data_dir, account, say)
    cluster = Cluster(home, account, binaries)
    if existing is None:
        initialise(cluster)
    return cluster


def _make_home(data_dir: Path, account: Account, say: Say) -> Path:
    home = data_dir / "postgres"
    if home.is_symlink() and not home.exists():
        raise EmbeddedPostgresError(f"{home} leads to {home.readlink()}, which is gone: restore it, or remove {home}")
    if home.exists():  # an earlier first start was interrupted before the data folder was complete
        account.own(home.resolve())
        return home.resolve()
    if account.uid is not None and not account.can_reach(data_dir):
        home.symlink_to(reachable_folder(data_dir.resolve().parent.name or "root"))
        account.own(home.resolve())
        say(f"PostgreSQL runs as {account.name}, which cannot enter {data_dir}: the database is in {home.resolve()}")
        return home.resolve()
    account.make_folder(home)
    return home.resolve()


def initialise(cluster: Cluster) -> None:
    """Make the data folder, under another name until it is complete."""
    for unfinished in cluster.home.glob("data.new*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    # A name of its own: an initdb whose rosterlog was killed may still be at work in another.
    staging = cluster.home / f"data.new-{secrets.token_hex(4)}"
    password = cluster.home / "password"
    if not password.exists():  # one that a person put there beforehand, as for a restore, is kept
        complete = cluster.home / "password.new"
        complete.unlink(missing_ok=True)
        complete.touch(mode=0o600)
        complete.write_text(secrets.token_urlsafe(24) + "\n")
        cluster.account.own(complete)
        complete.rename(password)
    result = cluster.account.run(
        cluster.binaries.folder / "initdb", "-D", staging, "-U", NAME, "-E", "UTF8", "--data-checksums",
        "--auth=scram-sha-256", f"--pwfile={password}", *_collation(cluster.binaries.major),
    )  # fmt: skip
    if result.returncode != 0:
        raise EmbeddedPostgresError(f"PostgreSQL's data folder could not be made: {result.stderr.strip()}")
    staging.rename(cluster.data)


def _collation(major: int) -> list[str]:
    """The options of initdb that sort text in the same order on every host, whatever its locale."""
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if major >= 17 else []
    return [*builtin, "--locale=C"]


def _major(home: Path | None) -> int | None:
    return int((home / "data" / "PG_VERSION").read_text()) if home else None
