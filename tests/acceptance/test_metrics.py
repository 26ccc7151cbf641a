"""`/metrics` of real processes: what it says, to whom, and while the database is away."""

import http.client
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import psutil
import psycopg
import pytest

from ingest import postgres
from ingest.metrics import METRICS
from tests import DEADLINE, model
from tests.conftest import create
from tests.fold_all import query
from tests.program import COMMAND, deliver, environ, free_port, get, run, running, status_of, until
from tests.proxy import Proxy
from tests.raw_client import connected, head
from tests.scrape import Samples, metrics_of, samples, scraped
from tests.tools import tool

pytestmark = pytest.mark.acceptance

SECRET = {"MOVEMINT_WEBHOOK_SECRET": model.SECRET.decode()}
OF_A_REBUILD = ("rosterlog_rebuild_progress_ratio", "rosterlog_rebuild_progress_timestamp_seconds")
ABSENT = (  # while all is well, on a database of one's own
    *OF_A_REBUILD, "rosterlog_log_missing_position", "rosterlog_projection_oldest_unfolded_timestamp_seconds",
    "rosterlog_database_disk_free_bytes", "rosterlog_oldest_transaction_timestamp_seconds",
    "rosterlog_replication_slot_retained_bytes", "rosterlog_connections_refused_total",
    "rosterlog_reconcile_timestamp_seconds", "rosterlog_reconcile_drift", "rosterlog_inner_differences",
    "rosterlog_reconcile_failing_since_timestamp_seconds",
    "rosterlog_sources_file_problems", "rosterlog_replicas_left_out",
)  # fmt: skip


@pytest.fixture(scope="module")
def exposed(server: postgres.Server, template: str) -> Iterator[int]:
    """The metrics' port of a server."""
    env = environ(DATABASE_URL=create(server, template), ROSTERLOG_METRICS_PORT=str(port := free_port()), **SECRET)
    with running("ingest", "--port", "0", env=env):
        until(lambda: status_of(port, "/livez") == 200)
        yield port


def check_numbers(found: Samples, begun: float) -> None:
    """What the deliveries and the verification above come to."""
    assert found["rosterlog_deliveries_total stored movemint"] == 3
    assert found["rosterlog_deliveries_total duplicate movemint"] == 1
    assert found["rosterlog_deliveries_total signature_wrong movemint"] == 1
    assert found["rosterlog_deliveries_total unknown_source "] == 1
    assert found["rosterlog_delivery_duration_seconds_count"] == 4
    assert found["rosterlog_commit_deliveries_sum"] == 4
    assert found["rosterlog_log_head_position movemint"] == 3
    assert found["rosterlog_api_requests_total /v1/participants 200"] == 1
    assert found["rosterlog_api_request_duration_seconds_count /v1/participants"] == 2
    assert found["rosterlog_projection_lag_events registrations movemint"] == 0
    assert found["rosterlog_verify_problems movemint"] == 0
    for name in (
        "rosterlog_log_last_received_timestamp_seconds movemint", "rosterlog_worker_seen_timestamp_seconds",
        "rosterlog_verify_timestamp_seconds movemint",
        "rosterlog_deliveries_last_refused_timestamp_seconds movemint",
    ):  # fmt: skip
        assert begun - 60 < found[name] < time.time() + 60, name


def check_format(text: str) -> None:
    """As promtool sees it."""
    checked = subprocess.run(
        [tool("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, check=False,
        timeout=DEADLINE,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_a_server_and_a_worker_say_what_they_did_and_how_far_everything_is(database: str) -> None:
    env = environ(DATABASE_URL=database, **SECRET)
    port, serving, working = free_port(), free_port(), free_port()
    begun = time.time()
    with ExitStack() as stack:
        stack.enter_context(running("serve", "--port", str(port), env={**env, "ROSTERLOG_METRICS_PORT": str(serving)}))
        stack.enter_context(running("worker", env={**env, "ROSTERLOG_METRICS_PORT": str(working)}))
        until(lambda: all(status_of(at, "/livez") == 200 for at in (port, serving, working)))
        until(lambda: status_of(port, "/readyz/webhook") == 200)
        assert metrics_of(serving)["rosterlog_deliveries_total stored movemint"] == 0
        for number in range(3):
            assert deliver(port, model.body(number))[0] == 200
        assert deliver(port, model.body(0))[0] == 200
        assert deliver(port, model.body(9), signature="0" * 64)[0] == 401
        assert deliver(port, b"x", source="nobody")[0] == 404
        until(lambda: metrics_of(working).get("rosterlog_events_folded_total participants movemint") == 3)
        until(lambda: metrics_of(serving).get("rosterlog_projection_position participants movemint") == 3)
        until(lambda: metrics_of(serving).get("rosterlog_deliveries_refused_in_a_row movemint") == 1)
        run("verify", env=env)
        roster = run("token", "create", "roster", env=env).splitlines()[-1]
        operator = run("token", "create", "ops", "--operator", env=env).splitlines()[-1]
        assert get(port, "/v1/participants", roster)[0] == 200
        assert get(port, "/v1/participants", operator)[0] == 403
        statuses = [scraped(port, token)[0] for token in (None, "rosterlog_wrong", roster, operator)]
        assert statuses == [401, 401, 403, 200]
        assert "ops  operator  made" in run("token", "list", env=env)
        until(lambda: "rosterlog_verify_problems movemint" in metrics_of(serving))
        text = scraped(serving)[1] + "\n".join(
            line for line in scraped(working)[1].splitlines() if "events_folded" in line
        ) + "\n"  # fmt: skip
        found = samples(text)
        check_numbers(found, begun)
        shown = {metric.name for metric in METRICS if f"# TYPE {metric.name.removesuffix('_total')}" in text}
        assert {metric.name for metric in METRICS} - shown == set(ABSENT)
        check_format(text)
        assert status_of(working, "/readyz/roster") == 200
        assert status_of(working, "/readyz/webhook") == 404
        assert [status_of(at, "/livez") for at in (port, serving, working)] == [200] * 3


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=abc",
        "text/plain;version=1..0",
        "x;version=99",
        "application/openmetrics-text;version=99",
        "application/openmetrics-text",
    ],
)
def test_whatever_format_is_asked_for_there_is_one(exposed: int, accept: str) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", exposed, timeout=DEADLINE)) as connection:
        connection.request("GET", "/metrics", headers={"Accept": accept})
        answer = connection.getresponse()
        assert (answer.status, b"rosterlog_build_info" in answer.read()) == (200, True)
        assert re.search(r"version=(0\.0\.4|1\.0\.0);", answer.getheader("content-type") or "")


def test_what_waits_and_what_holds_back_is_seen(database: str) -> None:
    model.append(database, [model.body(number) for number in range(5)])
    env = environ(DATABASE_URL=database, ROSTERLOG_METRICS_PORT=str(port := free_port()), **SECRET)
    with running("api", "--port", "0", env=env), psycopg.connect(database) as open_for_long:
        open_for_long.execute("select 1")
        until(lambda: status_of(port, "/livez") == 200)
        until(lambda: metrics_of(port).get("rosterlog_projection_lag_events participants movemint") == 5)
        found = metrics_of(port)
        [(received,)] = query(database, "select extract(epoch from min(received_at)) from event_log")
        oldest = found["rosterlog_projection_oldest_unfolded_timestamp_seconds participants movemint"]
        assert oldest == pytest.approx(float(received), abs=0.001)
        assert found["rosterlog_oldest_transaction_timestamp_seconds"] == pytest.approx(time.time(), abs=60)
        assert "rosterlog_worker_seen_timestamp_seconds" not in found


def test_a_scrape_does_not_wait_for_a_database_that_is_away(database: str) -> None:
    with Proxy(database).running() as proxy:
        env = environ(DATABASE_URL=proxy.conninfo, ROSTERLOG_METRICS_PORT=str(port := free_port()), **SECRET)
        with running("ingest", "--port", "0", env=env):
            until(lambda: status_of(port, "/readyz/webhook") == 200)
            assert status_of(port, "/readyz/roster") == 404
            assert metrics_of(port)["rosterlog_database_up"] == 1
            for trouble in ("swallows", "refuses"):
                setattr(proxy, trouble, True)
                proxy.cut()
                until(lambda: metrics_of(port)["rosterlog_database_up"] == 0)
                found = metrics_of(port)
                assert "rosterlog_deliveries_total stored movemint" in found
                assert "rosterlog_log_head_position movemint" not in found
                setattr(proxy, trouble, False)
                until(lambda: metrics_of(port)["rosterlog_database_up"] == 1)


def test_an_operator_sees_the_figures_of_the_process_while_the_database_is_away(database: str) -> None:
    """A token that was not looked up before is answered 503, and so is one that is no operator's."""
    port = free_port()
    with Proxy(database).running() as proxy:
        env = environ(DATABASE_URL=proxy.conninfo, **SECRET)
        tokens = [
            run("token", "create", name, *options, env=env).splitlines()[-1]
            for name, options in (("ops", ["--operator"]), ("later", ["--operator"]), ("roster", []))
        ]
        with running("serve", "--port", str(port), env=env):
            until(lambda: status_of(port, "/readyz/webhook") == 200)
            assert [scraped(port, token)[0] for token in (tokens[0], tokens[2])] == [200, 403]
            for trouble in ("swallows", "refuses"):
                setattr(proxy, trouble, True)
                proxy.cut()
                for token, wanted in zip(tokens, (200, 503, 503), strict=True):
                    status, text = scraped(port, token)
                    assert status == wanted, text
                    assert ("rosterlog_deliveries_total" in text) == (wanted == 200)
                    assert ("rosterlog_database_up 0.0" if wanted == 200 else "The database is away") in text
                setattr(proxy, trouble, False)
                until(lambda: scraped(port, tokens[0])[1].find("rosterlog_database_up 1.0") > 0)
            run("token", "revoke", "ops", env=env)
            assert scraped(port, tokens[0])[0] == 401
            proxy.refuses = True
            proxy.cut()
            assert scraped(port, tokens[0])[0] == 503, "it is known to be revoked"


def test_a_metrics_port_that_cannot_be_had_is_one_line_and_exit_code_2(database: str) -> None:
    env = environ(DATABASE_URL=database, **SECRET)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for command in ("ingest", "api", "serve", "worker", "up"):
            said = run(command, env={**env, "ROSTERLOG_METRICS_PORT": port, "ROSTERLOG_PORT": "0"}, code=2)
            assert f"127.0.0.1 port {port} is taken: choose another with ROSTERLOG_METRICS_PORT" in said
    wrong = {**env, "ROSTERLOG_METRICS_PORT": "0", "ROSTERLOG_METRICS_HOST": "no.such.host.invalid"}
    assert "the host no.such.host.invalid is not known: choose another with ROSTERLOG_METRICS_HOST" in run(
        "worker", env=wrong, code=2
    )


def test_a_storm_of_wrong_signatures_leaves_one_row_and_few_lines_and_honest_deliveries_go_on(database: str) -> None:
    env = environ(DATABASE_URL=database, ROSTERLOG_METRICS_PORT=str(watched := free_port()), **SECRET)
    port, wrong = free_port(), head(b"X-Signature: " + b"0" * 64, b"Content-Length: 2") + b"{}"
    with running("ingest", "--port", str(port), env=env, command=COMMAND) as ingest:  # its memory is its own
        until(lambda: status_of(port, "/readyz") == 200)
        sizes = []
        for round_ in range(5):
            with connected(port) as client:
                for _ in range(20):
                    client.send(wrong * 50)
                    assert client.statuses(50) == [401] * 50
            assert deliver(port, model.body(round_))[0] == 200
            sizes.append(psutil.Process(ingest.process.pid).memory_info().rss)
        assert sizes[-1] - sizes[0] < 20_000_000
        assert metrics_of(watched)["rosterlog_deliveries_total signature_wrong movemint"] == 5_000
        until(lambda: query(database, "select reason, count from refused_delivery") == [("signature_wrong", 5_000)])
        assert sum("deliveries refused" in line for line in ingest.lines) <= 3
        assert len(ingest.lines) < 20
