"""A deployment that runs, and whether a trouble of it is seen everywhere: in metrics, alerts, `status` and `doctor`."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from ingest import postgres
from tests import model
from tests.alerting import fires
from tests.conftest import create
from tests.fold_all import query
from tests.program import Running, deliver, environ, free_port, running, said, status_json, status_of, until
from tests.proxy import Proxy
from tests.scrape import samples, scraped

_AGED = """
alter table event_log disable trigger all;
update event_log set received_at = now() - interval '{age}' where position = (select max(position) from event_log);
"""
_AS_IT_CAME = """
update event_log e set received_at = k.received_at from kept k where e.source = k.source and e.position = k.position;
drop table kept
"""


@dataclass
class Deployment:
    """A server and a worker on a database behind a proxy. `before`: what `/metrics` said while all was well."""

    database: str
    proxy: Proxy
    port: int
    watched: int
    env: dict[str, str]
    folder: Path
    server: Running
    worker: Running
    before: str = ""

    def execute(self, sql: str) -> None:
        writes = "-c default_transaction_read_only=off"
        with psycopg.connect(self.database, autocommit=True, options=writes) as connection:
            connection.execute(sql.encode())

    def is_seen(self, metric: str, holds: Callable[[float], bool], sentence: str, alert: str, minutes: int) -> None:
        """The trouble shows in metrics, as an alert, in `status` and in `doctor`, whose sentence leads out."""
        self.is_measured(metric, holds, alert, minutes)
        # What was refused is written down some seconds later than it is counted.
        until(lambda: any(sentence in each for each in status_json(self.env)["needs"]))
        assert sentence in self.doctor("fail")

    def is_measured(self, metric: str, holds: Callable[[float], bool], alert: str, minutes: int) -> None:
        seen = ""

        def is_there() -> bool:
            nonlocal seen
            seen = scraped(self.watched)[1]
            return holds(samples(seen).get(metric, -1))

        until(is_there)
        assert fires(self.folder, alert, self.before, seen, minutes), alert

    def doctor(self, *levels: str, options: tuple[str, ...] = ()) -> str:
        """What it says of these levels, a line per finding."""
        found: dict[str, Any] = json.loads(said("doctor", "--json", *options, env=self.env))
        return "\n".join(f"{each['says']}: {each['do']}" for each in found["findings"] if each["level"] in levels)

    def is_well(self) -> None:
        until(lambda: status_json(self.env)["needs"] == [])
        self.before = scraped(self.watched)[1]

    def forget_unavailable(self) -> None:
        """Let the deliveries that were answered 503 be forgotten, which are news for five minutes."""
        outcome = "rosterlog_deliveries_total unavailable movemint"
        written = "select coalesce(sum(count), 0) from refused_delivery where reason = 'unavailable'"
        # The server has no more to write.
        until(lambda: query(self.database, written) == [(samples(scraped(self.watched)[1])[outcome],)])
        self.execute("delete from refused_delivery")

    @contextmanager
    def newest_is_of(self, age: str) -> Iterator[None]:
        """The newest event was received so long ago."""
        self.execute("create table kept as select * from event_log order by position desc limit 1")
        self.execute(_AGED.format(age=age))
        try:
            yield
        finally:
            self.execute(_AS_IT_CAME)

    def start(self, command: str) -> Running:
        """The server or the worker of this deployment."""
        if command == "worker":
            return Running(("worker",), self.env)
        return Running(("serve", "--port", str(self.port)), {**self.env, "ROSTERLOG_METRICS_PORT": str(self.watched)})


@contextmanager
def deployment(server: postgres.Server, template: str, folder: Path) -> Iterator[Deployment]:
    """A deployment that has stored and folded a delivery. A test may stop its programs and start others."""
    database = create(server, template)
    with Proxy(database).running() as proxy, ExitStack() as stack:
        env = environ(
            DATABASE_URL=proxy.conninfo, MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode(), ROSTERLOG_MAX_PENDING="2",
            ROSTERLOG_ANSWER_SECONDS="3",
        )  # fmt: skip
        port, watched = free_port(), free_port()
        serve = Running(("serve", "--port", str(port)), {**env, "ROSTERLOG_METRICS_PORT": str(watched)})
        deployed = Deployment(database, proxy, port, watched, env, folder, serve, Running(("worker",), env))
        stack.callback(lambda: deployed.server.stop())
        stack.callback(lambda: deployed.worker.stop())
        until(lambda: status_of(port, "/readyz/webhook") == 200)
        assert deliver(port, model.body(0))[0] == 200
        # Until it is folded, its log and the definition of its build are not what they stay.
        until(lambda: samples(scraped(watched)[1]).get("rosterlog_projection_position participants movemint") == 1)
        deployed.is_well()
        yield deployed


def is_refused_at_start(env: dict[str, str], command: tuple[str, ...], line: str) -> None:
    """A program that ends at its start, so that nothing is scraped; `status` and `doctor` say the same line."""
    with running(*command, env=env) as program:
        program.line(line)
        assert program.process.wait() != 0
    assert line in said("status", env=env)
    assert line in said("doctor", env=env)
