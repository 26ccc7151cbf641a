"""What the docs list under "When something is wrong", made to happen: seen in status, metrics, alerts and doctor."""

import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing

import psycopg
import pytest

from ingest import postgres
from ingest.simulator.list_server import ListManner, served_list
from ingest.web.bounds import RESERVED_DESCRIPTORS
from tests import DEADLINE, model
from tests.alerting import fires
from tests.api_lists import SECRETS, config_text
from tests.deployment import Deployment, deployment
from tests.program import COMMAND, deliver, free_port, get, run, running, said, status_json, status_of, until
from tests.scrape import samples, scraped

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


@pytest.fixture(scope="module")
def deployed(server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployment(server, template, tmp_path_factory.mktemp("alerts")) as deployed:
        yield deployed


def test_nothing_answers(deployed: Deployment) -> None:
    deployed.server.stop()
    deployed.worker.stop()
    try:
        deployed.execute("update worker_seen set seen_at = now() - interval '3 hours'")
        with pytest.raises(OSError, match="refused"):
            scraped(deployed.watched)
        assert fires(deployed.folder, "RosterlogDown", "", 'up{job="rosterlog", instance="a"} 0', 3)
        [said] = status_json(deployed.env)["needs"]
        assert said.startswith("nothing runs, no server is connected to this database and no worker was seen for 3 h")
        found = deployed.doctor("fail", options=("--url", f"http://127.0.0.1:{deployed.port}"))
        assert said.partition(": ")[0] in found
        assert "nothing listens there: start the proxy or the server" in found
    finally:
        deployed.server, deployed.worker = deployed.start("serve"), deployed.start("worker")
    until(lambda: status_of(deployed.port, "/readyz") == 200)
    deployed.is_well()


def test_a_wrong_secret(deployed: Deployment) -> None:
    for number in range(6):
        assert deliver(deployed.port, model.body(number), signature="0" * 64)[0] == 401
    deployed.is_seen(
        "rosterlog_deliveries_refused_in_a_row movemint", lambda value: value >= 5, "was the secret rotated?",
        "RosterlogEveryDeliveryRefused", 3,
    )  # fmt: skip
    assert deliver(deployed.port, model.body("well again"))[0] == 200
    deployed.is_well()


def test_a_token_that_is_not_valid_any_more(deployed: Deployment) -> None:
    """Anybody can try one, so it is in metrics and the log alone."""
    for _ in range(20):
        assert get(deployed.port, "/v1/participants", "rosterlog_revoked")[0] == 401
    deployed.is_measured(
        "rosterlog_api_requests_total /v1/participants 401", lambda value: value >= 20, "RosterlogTokensRefused", 50
    )
    deployed.server.line("answered without a valid token")
    deployed.is_well()


def test_too_many_connections(deployed: Deployment) -> None:
    """Anybody can open them, so it is in metrics and the log alone."""
    port, watched = free_port(), free_port()
    few = ("sh", "-c", f'ulimit -n {RESERVED_DESCRIPTORS + 5}; exec "$@"', "sh", *COMMAND)
    env = {**deployed.env, "ROSTERLOG_METRICS_PORT": str(watched)}
    with running("ingest", "--port", str(port), env=env, command=few) as ingest, ExitStack() as stack:
        until(lambda: status_of(port, "/readyz") == 200)
        before = scraped(watched)[1]
        for _ in range(20):
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
        ingest.line("connections refused")
        after = scraped(watched)[1]
        assert samples(after)["rosterlog_connections_refused_total too_many_connections"] > 0
        assert fires(deployed.folder, "RosterlogConnectionsRefused", before, after, 17)


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
        assert status_of(deployed.port, "/readyz/roster") == 503
        assert status_of(deployed.port, "/readyz/webhook") == 200
        with deployed.newest_is_of("5 minutes"):
            deployed.is_seen(
                "rosterlog_projection_oldest_unfolded_timestamp_seconds participants movemint",
                lambda value: 0 < value < seen - 60, "movemint: an event waits to be folded for 5 min",
                "RosterlogRosterBehind", 1,
            )  # fmt: skip
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
    deployed.worker = deployed.start("worker")
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
    deployed.forget_unavailable()
    deployed.is_well()


def test_a_parked_event(deployed: Deployment) -> None:
    """It is counted, and the roster lacks its participant, whatever the reason is for which it was parked."""
    assert deliver(deployed.port, b'{"type": "event.participant.created", "data": {"object": {"id": null}}}')[0] == 200
    deployed.is_seen(
        "rosterlog_quarantined_events movemint", lambda value: value == 1, "1 parked event: rosterlog quarantine list",
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


def test_a_source_from_which_nothing_arrives(deployed: Deployment) -> None:
    """Races sleep, so its alert is off unless it is switched on, and `status` and `doctor` say when, not that."""
    with deployed.newest_is_of("2 days"):
        until(lambda: status_json(deployed.env)["sources"][0]["lag"] == 0)
        newest = samples(deployed.before)["rosterlog_log_last_received_timestamp_seconds movemint"] - 86_400
        deployed.is_measured(
            "rosterlog_log_last_received_timestamp_seconds movemint", lambda value: 0 < value < newest,
            "RosterlogSourceSilent", 1,
        )  # fmt: skip
        assert "movemint: the last delivery came 2 d ago and was stored" in deployed.doctor("ok")
        assert status_json(deployed.env)["needs"] == []
    deployed.is_well()


def test_a_hole_in_the_log(deployed: Deployment) -> None:
    deployed.worker.process.send_signal(signal.SIGSTOP)
    lost = deliver(deployed.port, model.body("lost"))[1]["position"]
    assert deliver(deployed.port, model.body("behind it"))[0] == 200
    deployed.execute(
        f"create table kept as select * from event_log where position = {lost}; "
        f"alter table event_log disable trigger all; delete from event_log where position = {lost}"
    )
    deployed.worker.process.send_signal(signal.SIGCONT)
    sentence = f"movemint: the log has no position {lost}, so nothing after it is folded: it was damaged"
    deployed.is_seen(
        "rosterlog_log_missing_position movemint", lambda value: value == lost, sentence, "RosterlogLogHasHole", 1
    )
    deployed.worker.line(f"no position {lost}")
    assert f"the log of movemint has no position {lost}" in deployed.doctor("fail")
    deployed.execute("insert into event_log select * from kept; drop table kept")
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


def test_a_roster_that_lacks_somebody(deployed: Deployment) -> None:
    deployed.execute("create table kept as select * from participants_build where participant_id = '0'")
    deployed.execute("delete from participants_build where participant_id = '0'")
    assert "1 lost: 0" in run("reconcile", "--inner", env=deployed.env, code=1)
    deployed.is_seen(
        "rosterlog_inner_differences movemint", lambda value: value == 1,
        "movemint: 1 participant is not where the log says", "RosterlogRosterIncomplete", 1,
    )  # fmt: skip
    deployed.execute("insert into participants_build select * from kept; drop table kept")
    run("reconcile", "--inner", env=deployed.env)
    deployed.is_well()


def test_drift_that_is_left(deployed: Deployment) -> None:
    """Somebody who is missing and listed without an id is not written down, so this drift stays."""
    assert deliver(deployed.port, model.body("listed", event_id=501, email="a@example.org"))[0] == 200
    until(lambda: status_json(deployed.env)["sources"][0]["lag"] == 0)
    file = deployed.folder / "listed.csv"
    command = ("reconcile", "--file", str(file), "--event", "501", "--match", "email+event", "--apply")
    file.write_text("email,event_id\na@example.org,501\nnobody@example.org,501\n")
    assert "the roster then still differs" in run(*command, env=deployed.env, code=1)
    sentence = "movemint: 1 missing of event 501, as the source listed them"
    deployed.is_seen(
        "rosterlog_reconcile_drift missing movemint", lambda value: value == 1, sentence, "RosterlogDriftLeft", 1_442
    )
    assert ", event 501: 1 missing\n" in said("status", env=deployed.env)
    file.write_text("email,event_id\na@example.org,501\n")
    run(*command, env=deployed.env)
    assert status_json(deployed.env)["sources"][0]["reconciled"]["complete"] is True
    deployed.execute("update reconciliation set recorded_at = now() - interval '9 days'")
    long_ago = samples(deployed.before)["rosterlog_worker_seen_timestamp_seconds"] - 8 * 86_400
    deployed.is_measured(
        "rosterlog_reconcile_timestamp_seconds movemint", lambda value: 0 < value < long_ago,
        "RosterlogNotReconciled", 62,
    )  # fmt: skip
    deployed.execute("update reconciliation set recorded_at = now()")
    deployed.is_well()


def test_a_scheduled_look_that_fails(deployed: Deployment) -> None:
    env = {**deployed.env, **SECRETS}
    config = deployed.folder / "api.toml"
    command = ("reconcile", "--api", str(config), "--event", "777", "--apply")
    config.write_text(config_text(f"http://127.0.0.1:{free_port()}"))
    for _ in range(2):
        failed = run(*command, env=env, code=2)
    deployed.execute("update failed_look set since = now() - interval '2 days'")
    [noted] = status_json(deployed.env)["sources"][0]["failing_looks"]
    assert noted["events"] == ["777"]
    assert noted["why"] in failed
    two_days_ago = samples(deployed.before)["rosterlog_worker_seen_timestamp_seconds"] - 86_400
    deployed.is_seen(
        "rosterlog_reconcile_failing_since_timestamp_seconds movemint", lambda value: 0 < value < two_days_ago,
        "movemint: the scheduled comparison of event 777 has failed 2 times since ", "RosterlogLooksFail", 12,
    )  # fmt: skip
    person = model.body("looked at", event_id=777)
    assert deliver(deployed.port, person)[0] == 200
    until(lambda: status_json(deployed.env)["sources"][0]["lag"] == 0)
    with served_list([{"id": "looked at", "event_id": 777}], ListManner(size=5)) as listed:
        config.write_text(config_text(listed.url, more='total = "meta.total"\n'))
        run(*command, env=env)
    assert status_json(deployed.env)["sources"][0]["failing_looks"] == []
    deployed.is_well()


def test_a_log_that_nobody_verifies(deployed: Deployment) -> None:
    run("verify", env=deployed.env)
    deployed.execute("update verification set finished_at = now() - interval '9 days'")
    recently = samples(deployed.before)["rosterlog_worker_seen_timestamp_seconds"] - 86_400
    deployed.is_seen(
        "rosterlog_verify_timestamp_seconds movemint", lambda value: 0 < value < recently,
        "movemint: the log was verified 9 d ago: run rosterlog verify", "RosterlogLogNotVerified", 62,
    )  # fmt: skip
    run("verify", env=deployed.env)
    deployed.is_well()
