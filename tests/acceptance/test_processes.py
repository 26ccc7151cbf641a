"""`--processes N`: one server of several processes, whatever becomes of one of them or of their supervisor."""

import http.client
import json
import signal
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest

from ingest.metrics import METRICS
from tests import DEADLINE, model
from tests.program import Running, deliver, environ, free_port, get, run, running, status_of, until
from tests.proxy import Proxy
from tests.raw_client import RawClient, connected, delivery
from tests.scrape import Samples, metrics_of, scraped
from tests.sender import senders

pytestmark = pytest.mark.acceptance

SECRET = {"MOVEMINT_WEBHOOK_SECRET": model.SECRET.decode()}
STORED = "rosterlog_deliveries_total stored movemint"
COUNTERS = tuple(metric.name.removesuffix("_total") for metric in METRICS if metric.kind != "gauge")
PENDING = "rosterlog_pending_deliveries"
CONNECTIONS = 64
MOST_PENDING = 4
WRONG_TOKENS = 60  # at once, and one a second


def processes_of(server: Running) -> dict[int, psutil.Process]:
    return {child.pid: child for child in psutil.Process(server.process.pid).children()}


def served(server: Running) -> int:
    """The port, once the server says that it serves."""
    line: dict[str, str] = json.loads(server.line('"event":"serving"').string)
    return int(line["webhooks"].split(":")[2].partition("/")[0])


def clients_by_process(port: int, server: Running) -> Counter[int]:
    return Counter(
        pid
        for pid, process in processes_of(server).items()
        for each in process.net_connections("tcp")
        if each.laddr.port == port and each.status == psutil.CONN_ESTABLISHED
    )


def is_shared(port: int, server: Running, watched: int) -> None:
    """Connections are spread over all processes, each of which answers, and a scrape of any counts them all."""
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(port)) for _ in range(CONNECTIONS)]
        for number, client in enumerate(clients):
            client.send(delivery(model.body(number)))
        assert [client.answer().status for client in clients] == [200] * CONNECTIONS
        numbers = clients_by_process(port, server)
        assert sum(numbers.values()) == CONNECTIONS
        assert len(numbers) == 2, "one by chance alone: once in 2 ** 63"
        until(lambda: metrics_of(watched).get("rosterlog_connections") == CONNECTIONS)
        until(lambda: metrics_of(watched).get(STORED) == CONNECTIONS)
    found = metrics_of(watched)
    assert found["rosterlog_delivery_duration_seconds_count"] == CONNECTIONS
    assert found["rosterlog_delivery_duration_seconds_bucket +Inf"] == CONNECTIONS
    assert found["process_open_fds"] > sum(process.num_fds() for process in processes_of(server).values())


def share_the_limit_of_wrong_tokens(port: int) -> None:
    """However their connections are spread, all processes together take no more wrong tokens than one does."""
    begun = time.monotonic()
    statuses = Counter(get(port, "/v1/participants", f"wrong {number}")[0] for number in range(2 * WRONG_TOKENS))
    assert statuses.keys() <= {401, 429}
    assert statuses[401] <= WRONG_TOKENS + (time.monotonic() - begun) + 1


def none_has_gone_back(before: Samples, now: Samples) -> None:
    counted = {name: number for name, number in before.items() if name.startswith((*COUNTERS, "process_cpu_seconds"))}
    assert len(counted) > len(METRICS)
    assert {name: (number, now.get(name, 0)) for name, number in counted.items() if now.get(name, 0) < number} == {}


def is_replaced(server: Running, watched: int, number: signal.Signals, line: str) -> None:
    """A process that got this signal ends, another one comes, and nothing that was counted is forgotten."""
    before, counted = processes_of(server), metrics_of(watched)
    victim = before[min(before)]
    victim.send_signal(number)
    server.line(line)
    new = until(lambda: processes_of(server).keys() - before.keys())
    assert processes_of(server).keys() == (before.keys() - {victim.pid}) | new
    until(partial(has_beaten, watched, counted))
    none_has_gone_back(counted, metrics_of(watched))


def has_beaten(watched: int, before: Samples) -> bool:
    return metrics_of(watched)[STORED] > before[STORED]


def has_more(answered: dict[bytes, int], beyond: int) -> bool:
    return len(answered) > beyond


def log_of(server: Running) -> list[dict[str, object]]:
    return [json.loads(line) for line in server.lines]


@pytest.mark.slow
def test_processes_share_deliveries_and_one_that_dies_or_hangs_is_replaced(database: str) -> None:
    env = environ(DATABASE_URL=database, ROSTERLOG_METRICS_PORT=str(watched := free_port()), **SECRET)
    operator = run("token", "create", "ops", "--operator", env=env).splitlines()[-1]
    with running("serve", "--processes", "2", "--port", "0", env=env) as server:
        port = served(server)
        is_shared(port, server, watched)
        with senders(port, 6) as answered:
            until(partial(has_more, answered, 100))
            is_replaced(server, watched, signal.SIGKILL, "stopped with exit code -9; starting it again in 0.5 s")
            is_replaced(server, watched, signal.SIGSTOP, "did not move any more and was killed")
            until(partial(has_more, answered, len(answered) + 100))
        is_all_of_them_that_an_operator_sees(port, operator, len(answered) + CONNECTIONS)
        share_the_limit_of_wrong_tokens(port)
        children = processes_of(server).values()
        assert server.stop(signal.SIGTERM) == 0
        assert not any(child.is_running() for child in children)
    bodies = model.stored_bodies(database)
    assert len(bodies) == len(set(bodies))
    assert {content: bodies[position - 1] for content, position in answered.items()} == {
        each: each for each in answered
    }
    lines = log_of(server)
    assert [line["event"] for line in lines if line["logger"] == "ingest.cli.servers"][-1:] == ["serving"]
    assert sum(line["event"] in ("serving", "database in use") for line in lines) == 2
    assert {line["process"] for line in lines if line["event"] == "answered without a valid token"} == {1, 2}


def is_all_of_them_that_an_operator_sees(port: int, token: str, stored: int) -> None:
    """On each connection, so of each process, the same sum. What a killed process had said no more is missing."""
    found = []
    for _ in range(8):
        status, text = scraped(port, token)
        assert status == 200, text
        found.append(next(float(line.split()[-1]) for line in text.splitlines() if 'outcome="stored"' in line))
    assert found == sorted(found)
    assert found[-1] > stored / 2


def test_what_was_accepted_is_answered_before_a_server_of_several_processes_ends(database: str) -> None:
    """Also while the supervisor stands still, deliveries are taken. Told to stop, it lets nobody wait to connect."""
    settings = {"ROSTERLOG_METRICS_PORT": str(watched := free_port()), "ROSTERLOG_ANSWER_SECONDS": "60"}
    env = environ(DATABASE_URL=database, **settings, **SECRET)
    with ExitStack() as stack:
        server = stack.enter_context(running("ingest", "--processes", "2", "--port", "0", env=env))
        port = served(server)
        server.process.send_signal(signal.SIGSTOP)
        assert deliver(port, model.body("first"))[0] == 200
        assert status_of(watched, "/readyz") == 200
        status, said = scraped(watched)
        assert (status, "cannot be had now" in said) == (503, True)
        server.process.send_signal(signal.SIGCONT)
        blocker = stack.enter_context(psycopg.connect(database))
        blocker.execute("lock table event_log in access exclusive mode")
        clients = [stack.enter_context(connected(port)) for _ in range(CONNECTIONS)]
        for number, client in enumerate(clients):
            client.send(delivery(model.body(number)))
        until(lambda: scraped(watched)[0] == 200 and metrics_of(watched)[PENDING] == CONNECTIONS)
        children = processes_of(server).values()
        for _ in range(2):
            server.process.send_signal(signal.SIGTERM)
            until(lambda: status_of(port, "/livez") == 0)
        assert all(child.is_running() for child in children)
        blocker.rollback()
        assert [client.answer().status for client in clients] == [200] * CONNECTIONS
        assert server.process.wait(timeout=DEADLINE) == 0
        assert not any(child.is_running() for child in children)
    assert len(model.stored_bodies(database)) == 1 + CONNECTIONS
    assert "starting it again" not in "".join(server.lines)


@pytest.fixture
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rosterlog-processes-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "data"


def test_no_process_outlives_a_supervisor_that_was_killed(data: Path) -> None:
    """With the embedded database, at an address of IPv6."""
    env = environ(ROSTERLOG_DATA_DIR=str(data), **SECRET)
    run("migrate", env=env)
    with running("ingest", "--processes", "3", "--port", "0", "--host", "::1", env=env) as server:
        url = json.loads(server.line('"event":"serving"').string)["webhooks"]
        port = int(url.partition("]:")[2].partition("/")[0])
        with closing(http.client.HTTPConnection("::1", port, timeout=DEADLINE)) as connection:
            content = model.body(1)
            connection.request("POST", "/webhooks/movemint", content, {"X-Signature": model.signature(content)})
            assert connection.getresponse().status == 200
            children = processes_of(server).values()
            assert len(children) == 3
            server.process.kill()
            until(lambda: not any(child.is_running() for child in children))
        with socket.create_server(("::1", port), family=socket.AF_INET6):
            pass  # the address is free
    proof = json.loads(run("verify", "--json", env=env).splitlines()[-1])
    assert (proof["ok"], proof["sources"][0]["head"]) == (True, 1)


def hold_no_more_together(port: int, watched: int, database: str) -> None:
    """Of many deliveries that come at once as many wait for their commit as may wait in one process."""
    with psycopg.connect(database) as blocker, ExitStack() as stack:
        blocker.execute("lock table event_log in access exclusive mode")
        clients = [stack.enter_context(connected(port)) for _ in range(CONNECTIONS)]
        for number, client in enumerate(clients):
            client.send(delivery(model.body(number)))
        waiting = until(lambda: all_that_wait(clients, watched))
        blocker.rollback()
        statuses = Counter(client.answer().status for client in clients)
    assert waiting == MOST_PENDING
    assert statuses == {200: MOST_PENDING, 503: CONNECTIONS - MOST_PENDING}


def all_that_wait(clients: Sequence[RawClient], watched: int) -> int:
    """How many of their deliveries wait for their commit, once the others are answered; 0 before."""
    waiting = int(metrics_of(watched)[PENDING])
    return waiting if waiting + sum(client.has_answer() for client in clients) == len(clients) else 0


def starts_while_the_database_is_away(port: int, server: Running, proxy: Proxy) -> None:
    """A process that is started again then serves as the others do."""
    proxy.refuses = True
    proxy.cut()
    before = processes_of(server)
    before[max(before)].kill()
    until(lambda: processes_of(server).keys() - before.keys())
    assert {deliver(port, model.body(number))[0] for number in range(16)} == {503}
    proxy.refuses = False
    until(lambda: all(deliver(port, model.body(number))[0] == 200 for number in range(16)))


@pytest.mark.slow
def test_a_process_that_ends_at_each_start_ends_the_server_and_says_what_to_do(database: str, tmp_path: Path) -> None:
    fields = tmp_path / "fields.toml"
    fields.touch()
    settings = {"ROSTERLOG_MAX_PENDING": str(MOST_PENDING), "ROSTERLOG_ANSWER_SECONDS": "60"}
    settings |= {"ROSTERLOG_FIELDS": str(fields), "ROSTERLOG_METRICS_PORT": str(watched := free_port())}
    with ExitStack() as stack:
        proxy = stack.enter_context(Proxy(database).running())
        env = environ(DATABASE_URL=proxy.conninfo, **settings, **SECRET)
        server = stack.enter_context(running("serve", "--processes", "2", "--port", "0", env=env))
        port = served(server)
        hold_no_more_together(port, watched, database)
        for processes in ("1", "2"):
            taken = run("serve", "--processes", processes, "--port", str(port), env=env, code=1)
            assert "is taken: choose another with --port" in taken
        starts_while_the_database_is_away(port, server, proxy)
        fields.write_text("what is no TOML")
        children = processes_of(server)
        children[min(children)].kill()
        assert server.process.wait(timeout=DEADLINE) == 1
        assert not any(child.is_running() for child in children.values())
    said = log_of(server)[-1]["event"]
    assert said == (
        "server process 1 of 2 stopped with exit code 2: 4 ends in a row soon after its start; mend what the lines "
        "before this one say, then start again"
    )
    assert any("is not TOML" in line for line in server.lines)


@pytest.mark.parametrize("command", ["ingest", "serve"])
def test_a_wrong_number_of_processes_is_wrong_usage(command: str, database: str) -> None:
    env = environ(DATABASE_URL=database, ROSTERLOG_PORT="0", **SECRET)
    for number in ("0", "-1", "65", "two", ""):
        assert "Invalid value for '--processes'" in run(command, "--processes", number, env=env, code=2)
    assert "leave it out" in run(command, "--supervised", env=env, code=2)
    without = {name: value for name, value in env.items() if name not in SECRET}
    assert run(command, "--processes", "2", env=without, code=2).count("MOVEMINT_WEBHOOK_SECRET") == 1
