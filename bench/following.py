"""How soon a delivery is on the roster, whether the worker keeps up with the webhook, and what idle sources cost."""

import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import psutil
import psycopg

from bench.deliveries import CONNECTIONS
from bench.load import SECRET, request_for
from bench.machine import database
from ingest.database import sync_engine
from ingest.simulator.people import body_of, person
from ingest.web.serve import bind
from projections.web.access import tokens

RATE = 500  # deliveries a second
SECONDS = 40
BURST = 60_000
IDLE_SOURCES = 1_000
IDLE_SECONDS = 30


def measure(server: str) -> None:
    show_latency(database(server, "latency"))
    show_keeping_up(database(server, "keeping_up"))
    show_idle(database(server, "idle"))


def show_latency(conninfo: str) -> None:
    """Show the time from the webhook's 200 to the API's first answer that reflects the position, at a steady rate."""
    with running(conninfo, "serve") as port, running(conninfo, "worker"):
        time.sleep(3)
        seen: list[tuple[float, int]] = []
        done = threading.Event()
        watching = threading.Thread(target=_watch, args=(port, _token(conninfo), seen, done))
        watching.start()
        answered = _deliver_steadily(port)
        time.sleep(2)
        done.set()
        watching.join()
    waits = []
    at = 0
    for when, position in answered:
        while seen[at][1] < position:
            at += 1
        waits.append((seen[at][0] - when) * 1000)
    waits.sort()
    rate = len(answered) / (answered[-1][0] - answered[0][0])
    print(f"\n{len(waits):,} deliveries at {rate:.0f} per second, acknowledged to visible in the API, ms: ", end="")
    for share in (0.5, 0.9, 0.99, 1):
        print(f"p{share * 100:.0f} {waits[min(int(len(waits) * share), len(waits) - 1)]:.0f}", end="  ")
    print(f"mean {statistics.fmean(waits):.0f}", flush=True)


def show_keeping_up(conninfo: str) -> None:
    """Show the lag while the webhook takes as many deliveries as it can on the same cores; then the worker alone."""
    with running(conninfo, "serve") as port, running(conninfo, "worker"):
        time.sleep(3)
        command = [sys.executable, "-m", "bench.load", *map(str, (port, BURST, CONNECTIONS, 1))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
            lags = []
            while load.poll() is None:
                lags.append(_lag(conninfo))
                time.sleep(0.5)
            assert load.stdout is not None
            took = json.loads(load.stdout.read())["seconds"]
        begun = time.perf_counter()
        while _lag(conninfo):
            time.sleep(0.05)
        drained = time.perf_counter() - begun
    print(
        f"\n{BURST:,} deliveries as fast as they are taken: {BURST / took:,.0f} per second acknowledged; the roster was"
    )
    print(f"{max(lags):,} events behind at most, and up to date {drained:.1f} s after the last answer")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("update projection set live = null")
    begun = time.perf_counter()
    with running(conninfo, "worker"):
        while _lag(conninfo):
            time.sleep(0.05)
        took = time.perf_counter() - begun
    print(f"the worker alone, both projections, its start included: {BURST / took:,.0f} events per second", flush=True)


def show_idle(conninfo: str) -> None:
    """Show the share of a core that a worker and its sessions take with many sources, idle and with little traffic."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for number in range(IDLE_SOURCES):
            _append(connection, number, 0)
        with running(conninfo, "worker") as pid:
            while _lag(conninfo):
                time.sleep(0.2)
            time.sleep(15)
            print(
                f"\n{IDLE_SOURCES:,} sources, nothing arrives: {_share_of_a_core(pid, lambda _: None):.1f} % of a core"
            )
            little = _share_of_a_core(pid, lambda second: _append(connection, second * 7 % IDLE_SOURCES, second + 1))
            print(f"{IDLE_SOURCES:,} sources, one delivery per second in all: {little:.1f} % of a core", flush=True)


def _share_of_a_core(pid: int, every_second: Any) -> float:  # noqa: ANN401 - a function of the second
    worker = psutil.Process(pid)
    titles = {process: " ".join(process.cmdline()[:1]) for process in psutil.process_iter()}
    sessions = [process for process, title in titles.items() if "rosterlog" in title and "postgres:" in title]
    before = _cpu([worker, *sessions])
    for second in range(IDLE_SECONDS):
        every_second(second)
        time.sleep(1)
    return (_cpu([worker, *sessions]) - before) / IDLE_SECONDS * 100


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes if process.is_running())


def _append(connection: psycopg.Connection[Any], source: int, number: int) -> None:
    body = body_of({**person(1, source), "note": number})
    connection.execute(
        "select append_events(%s, %s::bytea[], array['x'], array['event.participant.created'], array[%s])",
        (f"source-{source}", [body], str(person(1, source)["id"])),
    )


@contextmanager
def running(conninfo: str, command: str) -> Iterator[int]:
    """Run `rosterlog serve` or `rosterlog worker`; give the port of the server, the process id of the worker."""
    with bind("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    extra = ["--port", str(port)] if command == "serve" else []
    environ = {**os.environ, "DATABASE_URL": conninfo, "MOVEMINT_WEBHOOK_SECRET": SECRET.decode()}
    with subprocess.Popen(
        [sys.executable, "-m", "projections", command, *extra], env=environ, stdout=subprocess.DEVNULL
    ) as process:
        try:
            yield port if extra else process.pid
        finally:
            process.send_signal(signal.SIGTERM)


def _token(conninfo: str) -> str:
    engine = sync_engine(conninfo)
    with engine.begin() as connection:
        token = tokens.create(connection, "bench", "movemint", (), None)
    engine.dispose()
    return token


def _watch(port: int, token: str, seen: list[tuple[float, int]], done: threading.Event) -> None:
    """Ask the API repeatedly which position it reflects; add each position and its time to `seen`."""
    connection = HTTPConnection("127.0.0.1", port)
    while not done.is_set():
        connection.request("GET", "/v1/participants?limit=1", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        seen.append((time.perf_counter(), int(answer.headers["Rosterlog-Position"])))
        time.sleep(0.005)


def _deliver_steadily(port: int) -> list[tuple[float, int]]:
    """Deliver at the rate, one after the other; give the time of each answer and its position, by position."""
    requests = [request_for(body_of(person(3, number))) for number in range(RATE * SECONDS)]
    answered: list[tuple[float, int]] = []
    lock = threading.Lock()
    begun = time.perf_counter() + 0.5

    def send(part: int, parts: int) -> None:
        connection = HTTPConnection("127.0.0.1", port)
        connection.connect()
        for number in range(part, len(requests), parts):
            time.sleep(max(begun + number / RATE - time.perf_counter(), 0))
            connection.sock.sendall(requests[number])
            content = b""
            while not content.endswith(b"}"):
                content += connection.sock.recv(65536)
            when = time.perf_counter()
            position = json.loads(content[content.index(b"{") :])["position"]
            with lock:
                answered.append((when, position))

    threads = [threading.Thread(target=send, args=(part, 8)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(answered, key=lambda answer: answer[1])


def _lag(conninfo: str) -> int:
    """How many events the projections are behind, as a sum over projections and sources."""
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(
            "select coalesce(sum(greatest(h.head - coalesce(c.position, 0), 0)), 0) "
            "from (select source, max(position) as head from event_log group by source) h cross join projection p "
            "left join checkpoint c on c.source = h.source and c.projection = p.projection and c.build = p.live"
        ).fetchone()
    return int(row[0]) if row else 0
