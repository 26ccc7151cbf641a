"""A primary with two replicas that stream from it, and an API that reads from these, each by a way that can be cut."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Engine

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from ingest.migrate import migrate
from tests.api_client import make_token
from tests.fold_all import drain
from tests.program import Running, environ, free_port, get, running, status_of, until
from tests.proxy import Proxy
from tests.reading_beside_model import Log
from tests.scrape import metrics_of
from tests.standby import Standby, standby_of

MOST_BEHIND = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Replicated:
    """`ways`: the proxies before the replicas and, last, before the primary, by which the API knows them."""

    primary: str
    standbys: tuple[Standby, Standby]
    ways: tuple[Proxy, Proxy, Proxy]
    worker: Engine
    log: Log
    token: str
    port: int
    metrics_port: int
    api: Running

    def answer(self, path: str = "/v1/participants?limit=1") -> tuple[int, dict[str, str], Any]:
        return get(self.port, path, self.token)

    def is_read_from(self, server: str) -> bool:
        """Whether the API reads from this server, as it has said last."""
        said = [line for line in self.api.lines if "roster is read from" in line]
        return bool(said) and server in said[-1]

    def detail(self) -> str | None:
        """What `/readyz` says although nothing hinders."""
        status, _, content = get(self.port, "/readyz")
        assert status == 200, json.dumps(content)
        said: str | None = content.get("detail")
        return said

    def left_out(self) -> list[float]:
        """Of each replica, what metrics say."""
        samples = metrics_of(self.metrics_port)
        return [samples[f"rosterlog_replicas_left_out {number}"] for number in (1, 2)]

    def is_whole(self) -> bool:
        """Whether nothing is left out. Not by `/readyz`, which also says that a worker of before has ended."""
        return self.left_out() == [0, 0] and self.is_read_from("replica 1")


@contextmanager
def replicated(most_behind: float = MOST_BEHIND) -> Iterator[Replicated]:
    """One that runs, for the block."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rosterlog-test-"))
        Path(folder).chmod(0o711)
        data = Path(folder) / "data"
        primary = stack.enter_context(postgres.server(data, print)).conninfo
        token = _migrated(primary)
        standbys = [stack.enter_context(standby_of(data, primary, name)) for name in ("first", "second")]
        conninfos = (*(standby.conninfo for standby in standbys), primary)
        ways = [stack.enter_context(Proxy(conninfo).running()) for conninfo in conninfos]
        worker = sync_engine(primary, WORKER_ROLE)
        stack.callback(worker.dispose)
        port, metrics_port = free_port(), free_port()
        env = environ(
            DATABASE_URL=ways[2].conninfo, READ_DATABASE_URL=_several(ways[:2]),
            ROSTERLOG_READ_MAX_LAG=str(most_behind), ROSTERLOG_METRICS_PORT=str(metrics_port),
        )  # fmt: skip
        api = stack.enter_context(running("api", "--port", str(port), env=env))
        pair, three = (standbys[0], standbys[1]), (ways[0], ways[1], ways[2])
        site = Replicated(primary, pair, three, worker, Log(primary), token, port, metrics_port, api)
        until(lambda: status_of(port, "/readyz") == 200)
        until(site.is_whole)
        yield site


def register(site: Replicated, name: str) -> int:
    position = site.log.register(name)
    drain(site.worker)
    return position


def read_at(site: Replicated) -> int:
    status, headers, _ = site.answer()
    assert status == 200
    return int(headers["rosterlog-position"])


def _migrated(primary: str) -> str:
    """Migrate the database; gives a token of its roster."""
    with psycopg.connect(primary, autocommit=True) as connection:
        connection.execute("alter system set fsync = off")
        connection.execute("select pg_reload_conf()")
    engine = sync_engine(primary)
    migrate(engine)
    token = make_token(engine)
    engine.dispose()
    return token


def _several(ways: list[Proxy]) -> str:
    """One address of several hosts."""
    ports = ",".join(str(conninfo_to_dict(way.conninfo)["port"]) for way in ways)
    return make_conninfo(ways[0].conninfo, host=",".join(["127.0.0.1"] * len(ways)), port=ports)
