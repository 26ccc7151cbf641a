"""What the docs list under "When something is wrong", made to happen: seen in status, metrics, alerts and doctor."""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ingest import postgres
from tests import DEADLINE, model
from tests.alerting import fires
from tests.conftest import create
from tests.fold_all import query
from tests.program import Running, deliver, environ, free_port, run, running, status_json, status_of, until
from tests.proxy import Proxy
from tests.scrape import samples, scraped

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


@dataclass
class Deployment:
    """A server and a worker on a database behind a proxy. `before`: what `/metrics` said while all was well."""

    database: str
    proxy: Proxy
    port: int
    watched: int
    env: dict[str, str]
    folder: Path
    worker: Running
    before: str = ""

    def execute(self, sql: str) -> None:
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(sql.encode())

    def is_seen(self, metric: str, holds: Callable[[float], bool], sentence: str, alert: str, minutes: int) -> None:
        """The trouble shows in metrics, as an alert, in `status` and in `doctor`, and the sentence leads out."""
        until(lambda: holds(samples(scraped(self.watched)[1]).get(metric, -1)))
        assert fires(self.folder, alert, self.before, scraped(self.watched)[1], minutes), alert
        if sentence:
            assert [said for said in status_json(self.env)["needs"] if sentence in said], status_json(self.env)["needs"]
            assert sentence in self.doctor()

    def doctor(self) -> str:
        found: dict[str, Any] = json.loads(run("doctor", "--json", env=self.env, code=1))
        return "\n".join(f"{each['says']}: {each['do']}" for each in found["findings"] if each["level"] == "fail")

    def is_well(self) -> None:
        until(lambda: status_json(self.env)["needs"] == [])
        self.before = scraped(self.watched)[1]


@pytest.fixture(scope="module")
def deployed(server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    database = create(server, template)
    with ExitStack() as stack:
        proxy = stack.enter_context(Proxy(database).running())
        env = environ(
            DATABASE_URL=proxy.conninfo, MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode(), ROSTERLOG_MAX_PENDING="2",
            ROSTERLOG_ANSWER_SECONDS="3",
        )  # fmt: skip
        port, watched = free_port(), free_port()
        stack.enter_context(running("serve", "--port", str(port), env={**env, "ROSTERLOG_METRICS_PORT": str(watched)}))
        worker = Running(("worker",), env)
        until(lambda: status_of(port, "/readyz/webhook") == 200)
        assert deliver(port, model.body(0))[0] == 200
        folder = tmp_path_factory.mktemp("alerts")
        deployed = Deployment(database, proxy, port, watched, env, folder, worker)
        stack.callback(lambda: deployed.worker.stop())  # the last one: a test has another one started
        deployed.is_well()
        yield deployed


def test_a_wrong_secret(deployed: Deployment) -> None:
    for number in range(6):
        assert deliver(deployed.port, model.body(number), signature="0" * 64)[0] == 401
    deployed.is_seen(
        "rosterlog_deliveries_refused_in_a_row movemint", lambda value: value >= 5, "was the secret rotated?",
        "RosterlogEveryDeliveryRefused", 3,
    )  # fmt: skip
    assert deliver(deployed.port, model.body("well again"))[0] == 200
    deployed.is_well()


def test_a_frozen_worker(deployed: Deployment) -> None:
    seen = samples(deployed.before)["rosterlog_worker_seen_timestamp_seconds"]
    deployed.worker.process.send_signal(signal.SIGSTOP)
    try:
        assert deliver(deployed.port, model.body("waits"))[0] == 200
        deployed.execute("update worker_seen set seen_at = now() - interval '3 minutes'")
        deployed.is_seen(
            "rosterlog_worker_seen_timestamp_seconds", lambda value: 0 < value < seen, "no worker was seen for 3 min",
            "RosterlogNoWorker", 2,
        )  # fmt: skip
        deployed.is_seen(
            "rosterlog_projection_lag_events participants movemint", lambda value: value == 1, "",
            "RosterlogRosterBehind", 3,
        )  # fmt: skip
        assert status_of(deployed.port, "/readyz/roster") == 503
        assert status_of(deployed.port, "/readyz/webhook") == 200
    finally:
        deployed.worker.process.send_signal(signal.SIGCONT)
    deployed.is_well()


def test_no_worker(deployed: Deployment) -> None:
    deployed.worker.stop()
    deployed.execute("delete from worker_seen")
    deployed.is_seen(
        "rosterlog_worker_seen_timestamp_seconds", lambda value: value == -1, "no worker was seen ever",
        "RosterlogNoWorker", 2,
    )  # fmt: skip
    deployed.worker = Running(("worker",), deployed.env)
    deployed.is_well()


def test_a_stopped_database(deployed: Deployment) -> None:
    deployed.proxy.refuses = True
    deployed.proxy.cut()
    deployed.is_seen("rosterlog_database_up", lambda value: value == 0, "", "RosterlogDatabaseAway", 2)
    assert deliver(deployed.port, model.body("later"))[0] == 503
    assert "127.0.0.1" in run("status", env=deployed.env, code=1)
    assert "127.0.0.1" in deployed.doctor()
    deployed.proxy.refuses = False
    until(lambda: deliver(deployed.port, model.body("later"))[0] == 200)
    deployed.is_well()


def test_a_full_queue(deployed: Deployment) -> None:
    with psycopg.connect(deployed.database) as holder:
        holder.execute("lock table event_log in exclusive mode")
        statuses: list[int] = []
        senders = [
            threading.Thread(
                target=lambda number=number: statuses.append(deliver(deployed.port, model.body(f"full {number}"))[0])
            )
            for number in range(9)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(DEADLINE)
        assert set(statuses) == {503}
    until(lambda: deliver(deployed.port, model.body("after"))[0] == 200)
    deployed.is_seen(
        "rosterlog_deliveries_total unavailable movemint", lambda value: value > 1, "were answered 503",
        "RosterlogDeliveriesNotKept", 2,
    )  # fmt: skip
    unavailable = samples(scraped(deployed.watched)[1])["rosterlog_deliveries_total unavailable movemint"]
    written = "select coalesce(sum(count), 0) from refused_delivery where reason = 'unavailable'"
    until(lambda: query(deployed.database, written) == [(unavailable,)])  # the server has no more to write
    deployed.execute("delete from refused_delivery")
    deployed.is_well()


def test_a_parked_event(deployed: Deployment) -> None:
    assert deliver(deployed.port, b'{"type": "event.participant.created", "data": {"object": {"id": null}}}')[0] == 200
    deployed.is_seen(
        "rosterlog_quarantined_events movemint", lambda value: value == 1, "1 parked events: rosterlog quarantine list",
        "RosterlogParkedEvents", 65,
    )  # fmt: skip
    [parked] = json.loads(run("quarantine", "list", "--json", env=deployed.env))["parked"]
    run("quarantine", "dismiss", str(parked["position"]), "--reason", "a test", env=deployed.env)
    deployed.is_well()


def test_a_changed_definition(deployed: Deployment) -> None:
    change = "update projection_build set definition = {} where projection = 'participants'"
    deployed.execute("create table kept as select projection, build, definition from projection_build")
    deployed.execute(change.format("'another'"))
    deployed.is_seen(
        "rosterlog_rebuild_needed participants", lambda value: value == 1, "run rosterlog rebuild participants",
        "RosterlogRebuildNeeded", 3,
    )  # fmt: skip
    assert status_of(deployed.port, "/readyz/roster") == 503
    deployed.execute(change.format("(select k.definition from kept k where k.projection = 'participants')"))
    deployed.execute("drop table kept")
    deployed.is_well()


def test_a_long_transaction(deployed: Deployment) -> None:
    """It began a moment ago; the alert is asked as of an hour later, and so is `needs`, in another test."""
    with psycopg.connect(deployed.database) as holder:
        holder.execute("select 1")
        deployed.is_seen(
            "rosterlog_oldest_transaction_timestamp_seconds",
            lambda value: value > 0,
            "",
            "RosterlogLongTransaction",
            65,
        )


def test_a_slow_database(deployed: Deployment) -> None:
    """`doctor` asks too many questions for a database like this; its sentences are those of `status`."""
    deployed.proxy.delay = 0.55
    for number in range(3):
        assert deliver(deployed.port, model.body(f"slow {number}"))[0] == 200
    deployed.is_seen(
        "rosterlog_commit_duration_seconds_count", lambda value: value > 0, "", "RosterlogSlowCommits", 10
    )  # fmt: skip
    assert "the database answers slowly" in " ".join(status_json(deployed.env)["needs"])
    deployed.proxy.delay = 0.0
    deployed.is_well()


def test_a_damaged_log(deployed: Deployment) -> None:
    damage = "alter table event_log disable trigger all; update event_log set subject = {} where position = 1"
    deployed.execute(damage.format("'another'"))
    run("verify", env=deployed.env, code=1)
    deployed.is_seen(
        "rosterlog_verify_problems movemint", lambda value: value > 0, "verify found", "RosterlogLogDamaged", 1
    )
    deployed.execute(damage.format("'0'"))
    run("verify", env=deployed.env)
    deployed.is_well()
