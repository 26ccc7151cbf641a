"""The cost of an append as the log grows: logs of 100 thousand, 1 and 10 million events on one server, in turn."""

import itertools
import statistics
from collections.abc import Iterator
from typing import Any

import psycopg

from bench.filling import append, deliveries, fill
from bench.machine import database, show, show_head

SIZES = (100_000, 1_000_000, 10_000_000)
BATCHES = {32: 3_200, 1: 500}  # events per commit: events per round
ROUNDS = 12
WARM = 500_000  # events; enough to write nearly every page of the largest index to the write-ahead log once

_BYTES = b"""
select pg_relation_size('event_log')::float / n, pg_relation_size('event_log_pkey')::float / n,
  pg_relation_size('event_log_dedup')::float / n, pg_relation_size('event_log_subject')::float / n
from (select count(*) as n from event_log) as counted
"""
_WAL = b"select (pg_current_wal_insert_lsn() - '0/0')::float"
_LAST_CHECKPOINT = b"select redo_lsn::text from pg_control_checkpoint()"

Log = psycopg.Connection[Any]


def measure(server: str) -> None:
    logs = {size: psycopg.connect(database(server, f"growth_{size}"), autocommit=True) for size in SIZES}
    for size, log in logs.items():
        fill(log, 0, size)
        log.execute("vacuum (analyze) event_log")
    _show_sizes(logs)
    smallest, largest = logs[SIZES[0]], logs[SIZES[-1]]
    ids = itertools.count(1_000_000_000, 1_000_000)
    for batch in BATCHES:
        smallest.execute("checkpoint")
        begun = _value(smallest, _LAST_CHECKPOINT)
        _compare(logs, ids, batch, "right after a checkpoint")
        fill(largest, next(ids), WARM)
        _compare(logs, ids, batch, f"{WARM:,} events later")
        print("a checkpoint came between" if _value(smallest, _LAST_CHECKPOINT) != begun else "in the same cycle")


def _compare(logs: dict[int, Log], ids: Iterator[int], batch: int, when: str) -> None:
    costs: dict[int, list[float]] = {size: [] for size in SIZES}
    written: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(ROUNDS):
        arrays = deliveries(next(ids), BATCHES[batch])
        for size, log in logs.items():
            before = _value(log, _WAL)
            costs[size].append(append(log, arrays, batch))
            written[size].append((_value(log, _WAL) - before) / BATCHES[batch])
    print(f"\n{batch} per commit, {when}; WAL bytes per event: ", end="")
    print(", ".join(f"{statistics.median(written[size]):,.0f} at {size:,}" for size in SIZES))
    show_head()
    for size in SIZES:
        show(f"{size:,} events: microseconds per event", costs[size], 1)
    for size in SIZES[1:]:
        ratios = [large / small for large, small in zip(costs[size], costs[SIZES[0]], strict=True)]
        show(f"{size:,} / {SIZES[0]:,}", ratios, 2)


def _value(log: Log, query: bytes) -> Any:  # noqa: ANN401 - of the type that the query selects
    return (log.execute(query).fetchone() or (None,))[0]


def _show_sizes(logs: dict[int, Log]) -> None:
    print(f"\n{'bytes per event':<20}{'table':>10}{'primary key':>14}{'dedup':>10}{'subject':>10}")
    for size, log in logs.items():
        table, key, dedup, subject = log.execute(_BYTES).fetchone() or (0, 0, 0, 0)
        print(f"{size:<20,}{table:>10.0f}{key:>14.0f}{dedup:>10.0f}{subject:>10.0f}", flush=True)
