"""A source moves to another cell under load, the commands killed at random: nothing is lost, doubled or shown again.

`CELL_EVENTS`, `CELL_KILLS`, `CELL_SEED`: how many events there are at the beginning, how often each command is killed,
and the seed of the moments. What was counted is printed (`-s`).
"""

import hashlib
import http.client
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from ingest import postgres
from tests import DEADLINE, ROOT, model
from tests.conftest import create
from tests.erased_person import traces
from tests.fold_all import query
from tests.program import COMMAND, Running, deliver, environ, free_port, run, status_of, until
from tests.tools import tool

EVENTS = int(os.environ.get("CELL_EVENTS", "20000"))
KILLS = int(os.environ.get("CELL_KILLS", "8"))
SEED = int(os.environ.get("CELL_SEED", "0")) or time.time_ns()
SECRETS = {"ROSTERLOG_SOURCES": f'{{"movemint": ["{model.SECRET.decode()}"], "spring": ["{model.SECRET.decode()}"]}}'}
ERASED, LIFTED = "Erased Unmistakable", "Lifted Unmistakable"
_NGINX = """
daemon off;
{user}
pid {folder}/nginx.pid;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        proxy_http_version 1.1;
        proxy_next_upstream error timeout;
        include {folder}/cells*.conf;
        location ~ ^/webhooks/. {{
            proxy_request_buffering off;
            proxy_pass http://127.0.0.1:{old};
        }}
    }}
}}
"""


def the_rule(source: str, new: int) -> str:
    """The rule of docs/scale.md, for this source and this port."""
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    [rule] = re.findall(r"^location = /webhooks/spring-races \{.*?^\}", text, re.M | re.S)
    changed = rule.replace("spring-races", source).replace("10.0.0.2:8000", f"127.0.0.1:{new}")
    assert changed.count(str(new)) == 1
    return str(changed)


@dataclass
class Nginx:
    """A proxy that sends everything to the old cell, until it has a rule for the source."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"

    def change_rule(self, source: str, new: int) -> None:
        (self.folder / "cells.conf").write_text(the_rule(source, new))
        self.process.send_signal(signal.SIGHUP)


@contextmanager
def nginx(folder: Path, old: int) -> Iterator[Nginx]:
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, user=user, port=port, old=old))
    command = [tool("nginx"), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: status_of(port, "/webhooks/movemint") == 405)
            yield Nginx(folder, port, process)
        finally:
            process.send_signal(signal.SIGTERM)


@dataclass
class Record:
    """What was answered: the position of each body, how often each status came, and when the last one did."""

    kept: dict[bytes, int] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    first_moved: float | None = None
    last_moved: float | None = None

    @property
    def seconds_moved(self) -> float:
        return (self.last_moved or 0.0) - (self.first_moved or 0.0)

    def note(self, content: bytes, status: int, answer: Mapping[str, object]) -> None:
        if status == 200:
            position = int(str(answer["position"]))
            assert self.kept.setdefault(content, position) == position, "the same delivery has one position for ever"
            self.answers[str(answer["status"])] += 1
            return
        assert status in (502, 503, 504), answer
        self.answers[f"{status} {answer.get('code', '')}".strip()] += 1
        if answer.get("code") == "moved":
            self.last_moved = time.monotonic()
            self.first_moved = self.first_moved or self.last_moved


@contextmanager
def senders(port: int, source: str, number: int, record: Record) -> Iterator[None]:
    """Deliver as Movemint does: each until it is answered 200, and some of them again later."""
    enough = threading.Event()
    with ThreadPoolExecutor(number) as pool:
        sending = [pool.submit(_send, port, source, each, record, enough) for each in range(number)]
        try:
            yield
        finally:
            enough.set()
        for future in sending:
            future.result(timeout=DEADLINE)


def _send(port: int, source: str, sender: int, record: Record, enough: threading.Event) -> None:
    chosen = random.Random(f"{SEED} {sender}")
    sent: list[bytes] = []
    number = 0
    while not enough.is_set():
        number += 1
        if sent and chosen.random() < 0.2:
            content = chosen.choice(sent)
        else:
            updated = f"2026-05-{number // 3600 % 28 + 1:02d}T10:{number // 60 % 60:02d}:{number % 60:02d}Z"
            name = f"{source}-{sender}-{number}"
            content = model.body(f"{sender}-{number % 50}", first_name=name, updated_at=updated)
        while not enough.is_set():
            try:
                status, answer = deliver(port, content, source=source)
            except (OSError, http.client.HTTPException, ValueError):  # nginx's own page, or no answer
                record.answers["none"] += 1
                continue
            record.note(content, status, answer)
            if status == 200:
                sent.append(content)
                break


def killed_often(command: tuple[str, ...], env: Mapping[str, str], chosen: random.Random, longest: float) -> int:
    """Run a command, killed at random moments, until it has ended by itself; gives how often it was killed."""
    kills = 0
    while True:
        with subprocess.Popen(
            [*COMMAND, *command], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            try:
                said, _ = process.communicate(timeout=chosen.uniform(0.2, longest) if kills < KILLS else DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
                continue
        assert process.returncode == 0, said.decode()
        return kills


def prefill(database: str) -> list[bytes]:
    """Events before anything runs: two people to erase, and everybody else."""
    bodies = [model.body("erased", first_name=ERASED), model.body("lifted", first_name=LIFTED)]
    bodies += [model.body(number % 5_000, first_name=f"n{number}") for number in range(EVENTS)]
    with psycopg.connect(database, autocommit=True) as connection:
        for begin in range(0, len(bodies), 500):
            model.append_on(connection, bodies[begin : begin + 500])
    return bodies


def log_of(database: str) -> dict[bytes, int]:
    """The position of each digest of the source's log."""
    rows = query(database, "select digest, position from event_log where source = 'movemint'")
    found = {bytes(digest): position for digest, position in rows}
    assert len(found) == len(rows)
    return found


def chain_at(database: str, position: int) -> object:
    return query(database, "select chain from event_log where source = 'movemint' and position = %s", position)


def check_logs(old: str, new: str, answered: Mapping[bytes, int]) -> tuple[int, int]:
    """The new cell has all that was answered where the answer says, and begins as the old one. Gives both heads."""
    kept = {hashlib.sha256(content).digest(): position for content, position in answered.items()}
    logs = [log_of(database) for database in (old, new)]
    left = max(logs[0].values())
    assert kept.items() <= logs[1].items(), "lost, or at another position"
    assert sorted(logs[1].values()) == list(range(1, len(logs[1]) + 1)), "gaps"
    assert {digest: at for digest, at in logs[1].items() if at <= left} == logs[0]
    assert chain_at(old, left) == chain_at(new, left)
    assert max(position for position in kept.values()) > left, "the new cell took deliveries"
    for database in (old, new):
        printed = run("verify", "--signatures", env=environ(DATABASE_URL=database, **SECRETS))
        assert "  ok  " in printed
    return left, len(logs[1])


def erase_and_lift(env: dict[str, str]) -> None:
    for subject in ("erased", "lifted"):
        run("erase", subject, "--source", "movemint", "--reason", "asked", "--yes", env=env)
    run("erase", "lifted", "--source", "movemint", "--lift", env=env)


@contextmanager
def cells(databases: Iterable[str], ports: Sequence[int]) -> Iterator[None]:
    """A server of the webhook and a worker for each database; they are ready."""
    with ExitStack() as stack:
        for database, port in zip(databases, ports, strict=True):
            for command in (("ingest", "--port", str(port)), ("worker",)):
                program = Running(command, environ(DATABASE_URL=database, **SECRETS))
                stack.callback(program.stop)
        until(lambda: all(status_of(port, "/readyz/webhook") == 200 for port in ports))
        yield


def test_a_source_moves_under_load_and_kills(
    server: postgres.Server, template: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    databases = old, new = create(server, template), create(server, template)
    chosen = random.Random(SEED)
    env = environ(DATABASE_URL=old, ROSTERLOG_TO_DATABASE_URL=new, **SECRETS)
    first = prefill(old)
    ports = [free_port() for _ in databases]
    record, untouched = Record(), Record()
    with ExitStack() as stack:
        stack.enter_context(cells(databases, ports))
        proxy = stack.enter_context(nginx(tmp_path, ports[0]))
        with senders(proxy.port, "movemint", 3, record), senders(proxy.port, "spring", 1, untouched):
            until(lambda: len(record.kept) > 50)
            begun = time.monotonic()
            kills = [killed_often(("source", "copy", "movemint"), env, chosen, 3.0)]
            copied = time.monotonic() - begun
            erase_and_lift(env)
            back = model.body("lifted", first_name="is back")
            record.note(back, *deliver(ports[0], back))
            kills.append(killed_often(("source", "move", "movemint"), env, chosen, 2.0))
            proxy.change_rule("movemint", ports[1])
            answered = len(record.kept)
            until(lambda: len(record.kept) > answered + 100)
        until(lambda: is_folded(old) and is_folded(new))
    left, there = check_logs(old, new, record.kept)
    assert not {status for status in untouched.answers if status not in ("stored", "duplicate")}
    held = traces(new, ERASED) | traces(old, ERASED)
    assert not {table for table in held if not table.startswith("the statistics of")}, (
        "a killed command cleans up later"
    )
    _check_roster(new, first)
    run("rebuild", "--yes", env=environ(DATABASE_URL=new, **SECRETS))
    _check_roster(new, first)
    with capsys.disabled():
        sys.stdout.write(
            f"\nseed {SEED}: {len(first)} events before, {len(record.kept)} answered 200 ({dict(record.answers)}); "
            f"killed {kills} times; copied in {copied:.1f} s; {left} events at the old cell, {there} at the "
            f"new; 503 moved for {record.seconds_moved:.1f} s; the other source: {dict(untouched.answers)}\n"
        )


def is_folded(database: str) -> bool:
    head = "select max(position) from event_log where source = 'movemint'"
    return bool(query(database, f"select ({head}) = min(position) from checkpoint where source = 'movemint'")[0][0])


def _check_roster(database: str, first: list[bytes]) -> None:
    """The roster is the model's, of all events with a body; the position is that of the log."""
    bodies = query(database, "select body from event_log where source = 'movemint' order by position")
    assert [position for position, (body,) in enumerate(bodies, 1) if body is None] == [1, 2]
    assert [body for (body,) in bodies[2 : len(first)]] == first[2:]
    assert model.stored_roster(database) == model.roster(body or b"" for (body,) in bodies)
