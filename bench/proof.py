"""How fast `verify` proves a log, against reading the same rows with COPY, in turn."""

import itertools
import resource
import time
from collections.abc import Callable

import psycopg
from sqlalchemy import Engine

from bench.filling import fill
from bench.load import SECRET
from bench.machine import show, show_head
from ingest.database import sync_engine
from ingest.log.verify import verify

EVENTS = 1_000_000
ROUNDS = 5
_COPY = b"copy (select * from event_log where source = 'movemint' order by position) to stdout (format binary)"


def measure(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        engine = sync_engine(conninfo)
        for first, last in itertools.pairwise((0, EVENTS // 10, EVENTS)):
            fill(connection, first, last - first)
            _verify(engine, None, last)
            print(f"peak memory after proving {last:,} events: {_peak():.0f} MB")
        connection.execute("vacuum (analyze) event_log")
        ways: dict[str, Callable[[], None]] = {
            "verify": lambda: _verify(engine, None, EVENTS),
            "COPY to the same client": lambda: _copy(connection),
            "verify --signatures": lambda: _verify(engine, [b"another", SECRET], EVENTS),
        }
        rates: dict[str, list[float]] = {way: [] for way in ways}
        for number, (way, run) in ((number, item) for number in range(ROUNDS + 1) for item in ways.items()):
            begun = time.perf_counter()
            run()
            if number > 0:  # the first round warms up
                rates[way].append(EVENTS / (time.perf_counter() - begun))
        engine.dispose()
    show_head()
    for way, values in rates.items():
        show(f"{way}: events per second", values, 0)
    pairs = zip(rates["verify"], rates["COPY to the same client"], strict=True)
    show("verify / COPY", [proved / copied for proved, copied in pairs], 2)


def _verify(engine: Engine, secrets: list[bytes] | None, events: int) -> None:
    proof = verify(engine, "movemint", None, secrets, lambda _: None)
    assert (proof.events, proof.problems) == (events, [])


def _copy(connection: psycopg.Connection) -> None:
    with connection.cursor().copy(_COPY) as rows:
        assert sum(1 for _ in rows) in (EVENTS, EVENTS + 1)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
