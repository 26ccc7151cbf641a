"""What the append function costs beside a bare INSERT of finished rows with the same columns and indexes, in turn."""

import hashlib
import time
from collections.abc import Callable
from typing import Any

import psutil
import psycopg

from bench.filling import Arrays, append, deliveries
from bench.machine import database, show, show_head

ROUNDS = 7
EVENTS = 19_200  # per round
BATCH = 64
_BARE = """
create table bare (
  source text collate "C" not null, position bigint not null, received_at timestamptz not null,
  event_type text collate "C", subject text collate "C", digest bytea not null, body bytea, signature text,
  chain bytea not null, primary key (source, position), unique (source, digest)
);
create index on bare (source, subject);
"""
_INSERT = b"""
insert into bare
select 'movemint', p, clock_timestamp(), t, s, d, b, g, d
from unnest(%b::bigint[], %b::text[], %b::text[], %b::bytea[], %b::bytea[], %b::text[]) as u (p, t, s, d, b, g)
"""


def measure(server: str) -> None:
    with psycopg.connect(database(server, "appending"), autocommit=True) as connection:
        connection.execute(_BARE.encode())
        ways: dict[str, Callable[[int, Arrays], object]] = {
            "append_events": lambda _first, arrays: append(connection, arrays, BATCH),
            "bare INSERT": lambda first, arrays: _insert(connection, first, arrays),
        }
        _compare(connection, ways)


def _compare(connection: psycopg.Connection[Any], ways: dict[str, Callable[[int, Arrays], object]]) -> None:
    session = psutil.Process(connection.info.backend_pid)
    took: dict[str, list[float]] = {way: [] for way in ways}
    used: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(ROUNDS + 1):
        arrays = deliveries(1 + number * EVENTS, EVENTS)
        for way, run in ways.items() if number % 2 else reversed([*ways.items()]):
            connection.execute("checkpoint")
            begun, cpu = time.perf_counter(), sum(session.cpu_times()[:2])
            run(1 + number * EVENTS, arrays)
            if number > 0:  # the first round warms up
                took[way].append((time.perf_counter() - begun) / EVENTS * 1e6)
                used[way].append((sum(session.cpu_times()[:2]) - cpu) / EVENTS * 1e6)
    print(f"batches of {BATCH}; microseconds per event, with the client and the commit; CPU of PostgreSQL")
    show_head()
    for kind, values in (("took", took), ("CPU", used)):
        for way in ways:
            show(f"{way}: {kind}", values[way], 1)
        pairs = zip(values["bare INSERT"], values["append_events"], strict=True)
        show(f"speed against the bare INSERT: {kind}", [bare / ours for bare, ours in pairs], 2)


def _insert(connection: psycopg.Connection[Any], first: int, arrays: Arrays) -> None:
    bodies, signatures, types, subjects = arrays
    digests = [hashlib.sha256(body).digest() for body in bodies]
    for begin in range(0, len(bodies), BATCH):
        end = min(begin + BATCH, len(bodies))
        positions = [*range(first + begin, first + end)]
        columns = (types, subjects, digests, bodies, signatures)
        connection.execute(_INSERT, (positions, *(column[begin:end] for column in columns)), prepare=True)
