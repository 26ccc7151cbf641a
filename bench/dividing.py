"""What several workers on many sources cost: this checkout and another one (`BASE`), in turn.

On few cores the rate cannot grow with the workers. What shows that it would are the CPU of a batch, which must not
grow, and the time that sessions wait for each other's locks, which must be none.
"""

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from threading import Event, Thread
from typing import Any

import psycopg

from bench.checkout import Checkout, Cost, checkouts, costs_of, costs_of_several
from bench.machine import show, show_head
from ingest.simulator.people import body_of, person

SOURCES = 1_000
MOST_EVENTS = 3  # of a source, at least one
WORKERS = (1, 2, 4)
ROUNDS = 3
BUSY_EVENTS = 10_000  # of one source
MANY_SOURCES = 10_000
PER_SECOND = 100  # deliveries, each into any of them
STEADY_SECONDS = 20
PROJECTIONS = 2

_APPEND = b"""
select count(*) from append_events(%b, %b::bytea[], array_fill('x'::text, array[%b::int]),
  array_fill('event.participant.created'::text, array[%b::int]), %b::text[])
"""
_EVENTS = b"select count(*) from event_log"
_MOVED = b"select coalesce(sum(position), 0)::bigint from checkpoint"
_FOLDED = b"""
select h.source, h.head
from unnest(%b::text[], %b::bigint[]) as h (source, head)
cross join projection p
left join checkpoint c on c.source = h.source and c.projection = p.projection and c.build = p.live
group by h.source, h.head
having min(coalesce(c.position, 0)) >= h.head
"""
_WAITING = b"""
select count(*) filter (where wait_event_type = 'Lock')
from pg_stat_activity
where datname = current_database() and application_name = 'rosterlog worker' and state = 'active'
"""

Monitor = psycopg.Connection[Any]


def measure(server: str) -> None:
    """`BASE` in the environment names a checkout of before the change, with its `.venv`."""
    both = checkouts(server)
    for workers in WORKERS:
        _compare_many(both, workers)
    _compare_busy(both)
    _compare_steady(both)


def _compare_many(both: Sequence[Checkout], workers: int) -> None:
    """The fold of one to three events in each of many sources, which become visible at once."""
    costs: dict[str, list[Cost]] = {checkout.name: [] for checkout in both}
    waited: dict[str, list[float]] = {checkout.name: [] for checkout in both}
    for checkout in both:
        with ExitStack() as stack:
            processes = [stack.enter_context(checkout.running("worker")) for _ in range(workers)]
            monitor = stack.enter_context(_session(checkout))
            time.sleep(6)
            for number in range(ROUNDS + 1):
                heads = _append_many(checkout, range(SOURCES), random.Random(f"{workers} {number}"))
                waits = _Waits(checkout)
                with costs_of_several(processes, monitor) as cost:
                    _wait_until_folded(monitor, heads.commit())
                seconds = waits.end()
                if number > 0:  # the first one makes the sources, and warms up
                    costs[checkout.name] += cost
                    waited[checkout.name].append(seconds)
    print(f"\n{SOURCES:,} sources of 1 to {MOST_EVENTS} events, {workers} workers", flush=True)
    show_head()
    batches = SOURCES * PROJECTIONS
    for name, found in costs.items():
        show(f"batches per second, {name}", [batches / cost.took for cost in found], 0)
        show(f"CPU of a batch, us, {name}", [cost.cpu / batches * 1e6 for cost in found], 0)
        show(f"... of it the program, {name}", [cost.program / batches * 1e6 for cost in found], 0)
        show(f"ms waited for locks, {name}", [seconds * 1e3 for seconds in waited[name]], 0)


class _Heads:
    """What was appended, in a transaction that is open until `commit`."""

    def __init__(self, connection: Monitor) -> None:
        self._connection = connection
        self.heads: dict[str, int] = {}  # by source

    def append(self, source: str, people: Sequence[dict[str, Any]]) -> None:
        values = (source, [body_of(each) for each in people], len(people), len(people), [str(p["id"]) for p in people])
        self._connection.execute(_APPEND, values, binary=True)
        row = self._connection.execute("select max(position) from event_log where source = %s", [source]).fetchone()
        self.heads[source] = row[0] if row else 0

    def commit(self) -> int:
        """Gives the sum of the checkpoints once everything is folded."""
        row = self._connection.execute(_EVENTS).fetchone()
        self._connection.commit()
        self._connection.close()
        return PROJECTIONS * row[0] if row else 0


def _wait_until_folded(monitor: Monitor, positions: int) -> None:
    while (monitor.execute(_MOVED).fetchone() or (0,))[0] < positions:
        time.sleep(0.02)


def _append_many(checkout: Checkout, sources: range, chosen: random.Random) -> _Heads:
    heads = _Heads(psycopg.connect(checkout.conninfo, application_name="bench"))
    first = chosen.randrange(10**9)
    for number in sources:
        people = [person(1, first + 10 * number + each) for each in range(chosen.randint(1, MOST_EVENTS))]
        heads.append(f"source-{number}", people)
    return heads


class _Waits:
    """For how long sessions of workers wait for a lock, all together: looked at a hundred times a second."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self._stop = Event()
        self._seconds = 0.0
        self._thread = Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        with _session(self._checkout) as monitor:
            before = time.perf_counter()
            while not self._stop.wait(0.01):
                row = monitor.execute(_WAITING).fetchone()
                now = time.perf_counter()
                self._seconds += (row[0] if row else 0) * (now - before)
                before = now

    def end(self) -> float:
        self._stop.set()
        self._thread.join()
        return self._seconds


def _compare_busy(both: Sequence[Checkout]) -> None:
    """The fold of one source that has much to do, by one worker."""
    costs: dict[str, list[Cost]] = {checkout.name: [] for checkout in both}
    for number in range(ROUNDS + 1):
        for checkout in both if number % 2 else both[::-1]:
            with checkout.running("worker") as worker, _session(checkout) as monitor:
                time.sleep(4)
                heads = _Heads(psycopg.connect(checkout.conninfo, application_name="bench"))
                for begin in range(0, BUSY_EVENTS, 1_000):
                    heads.append("busy", [person(2, number * BUSY_EVENTS + begin + each) for each in range(1_000)])
                monitor.execute("checkpoint")
                with costs_of(worker, monitor) as cost:
                    _wait_until_folded(monitor, heads.commit())
                if number > 0:
                    costs[checkout.name] += cost
    print(f"\none source of {BUSY_EVENTS:,} events, one worker")
    show_head()
    for name, found in costs.items():
        show(f"CPU of an event, us, {name}", [cost.cpu / BUSY_EVENTS * 1e6 for cost in found], 1)
    ratios = [this.cpu / base.cpu for this, base in zip(costs["this"], costs["base"], strict=True)]
    show("this / base", ratios, 3)


def _compare_steady(both: Sequence[Checkout]) -> None:
    """What one worker costs over many sources: while nothing arrives, and while little arrives for any of them."""
    for checkout in both:
        positions = 0
        for first in range(0, MANY_SOURCES, SOURCES):  # an append holds a lock for each source
            positions = _append_many(checkout, range(first, first + SOURCES), random.Random(f"many {first}")).commit()
        filling = replace(checkout, python=both[0].python, folder=both[0].folder)  # the quicker one, for each
        with filling.running("worker"), _session(checkout) as monitor:
            _wait_until_folded(monitor, positions)
        with checkout.running("worker") as worker, _session(checkout) as monitor:
            time.sleep(10)
            with costs_of(worker, monitor) as idle:
                time.sleep(STEADY_SECONDS)
            with costs_of(worker, monitor) as steady:
                seconds = _deliver_steadily(checkout)
        _show_steady(checkout.name, idle[0], steady[0], seconds)


def _deliver_steadily(checkout: Checkout) -> list[float]:
    """Deliver into any of the sources; give of one delivery in five how long it took until it was folded."""
    chosen, seconds = random.Random(7), list[float]()
    pending: dict[tuple[str, int], float] = {}
    delivered = Event()
    watching = Thread(target=_watch, args=(checkout, pending, seconds, delivered))
    watching.start()
    with _session(checkout) as log:
        begun = time.perf_counter()
        for number in range(PER_SECOND * STEADY_SECONDS):
            time.sleep(max(begun + number / PER_SECOND - time.perf_counter(), 0))
            heads = _Heads(log)
            heads.append(f"source-{chosen.randrange(MANY_SOURCES)}", [person(3, number)])
            if number % 5 == 0:
                pending |= dict.fromkeys(heads.heads.items(), time.perf_counter())
    delivered.set()
    watching.join()
    return sorted(seconds)


def _watch(checkout: Checkout, pending: dict[tuple[str, int], float], seconds: list[float], delivered: Event) -> None:
    with _session(checkout) as monitor:
        while pending or not delivered.is_set():
            time.sleep(0.005)
            asked = [*pending]
            found = monitor.execute(_FOLDED, [[source for source, _ in asked], [head for _, head in asked]]).fetchall()
            now = time.perf_counter()
            seconds += [now - pending.pop((source, head)) for source, head in found]


def _show_steady(name: str, idle: Cost, steady: Cost, seconds: Sequence[float]) -> None:
    print(f"\n{MANY_SOURCES:,} sources, one worker, {name}")
    print(f"nothing arrives: {idle.cpu / idle.took:.1%} of a core with its sessions")
    rate = PER_SECOND * STEADY_SECONDS / steady.took
    print(f"{rate:.0f} deliveries per second into any of them: {steady.cpu / steady.took:.1%} of a core", end="; ")
    p50, p99 = (seconds[int(len(seconds) * share)] * 1e3 for share in (0.5, 0.99))
    print(f"folded after {p50:.0f} ms (p50), {p99:.0f} ms (p99)", flush=True)


def _session(checkout: Checkout) -> Monitor:
    return psycopg.connect(checkout.conninfo, autocommit=True, application_name="bench")
