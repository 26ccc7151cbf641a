"""This checkout beside another one (`BASE`) at a million participants: folding, rebuilding, reading, migrating."""

import random
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import psycopg

from bench.checkout import Api, Checkout, Cost, checkouts, costs_of, costs_of_run
from bench.filling import Arrays, append
from bench.load import SECRET
from bench.machine import show, show_head
from bench.roster import PEOPLE, in_many_events
from bench.slow import show_slow
from bench.upgrade import show_upgrade
from bench.words import WORDS
from ingest.delivery import JsonObject
from ingest.signature import sign
from ingest.simulator.people import body_of, edited

ROUNDS = 5
FOLDED = 20_000  # events per round
ASKED = 100  # requests per round
_BATCH = 20_000
_DEPTH = 100  # pages of 1000 before a deep page
_REBUILD = """
import sys
from bench.rebuild import rebuild
from ingest.database import WORKER_ROLE, sync_engine
from projections.catalogue import catalogue
rebuild(sync_engine(sys.argv[1], WORKER_ROLE), sys.argv[1], catalogue(None)[0], 2)
"""
_POSITION = b"""
select min(coalesce(c.position, 0)) from projection p
left join checkpoint c on c.projection = p.projection and c.build = p.live and c.source = 'movemint'
"""
_SORTS = ("participant_id", "last_name", "bib", "-registered_at")

Ways = Mapping[str, Callable[[], Cost]]  # by the name of the checkout


def measure(server: str) -> None:
    both = checkouts(server)
    _fill(both)
    for name, first, participant in (
        ("new people", PEOPLE, in_many_events),
        ("people whose data change", 0, _edited),
        ("people who check in", 200_000, _checked_in),
        ("people as before", 400_000, in_many_events),
    ):
        folds = {each.name: _folds(each, first, participant) for each in both}
        _compare(f"fold of {name}, event", folds, FOLDED, 1e6)
    _compare("rebuild", {each.name: partial(_rebuilt, each) for each in both}, 1, 1, warm_up=0)
    with ExitStack() as stack:
        apis = {each.name: (stack.enter_context(each.serving()), each) for each in both}
        _compare_reading(apis)
        show_slow(apis["this"][0])
    this, base = both
    show_upgrade(base, this)


def _edited(number: int) -> JsonObject:
    return edited(in_many_events(number), 1, 1)


def _checked_in(number: int) -> JsonObject:
    return {**in_many_events(number), "checked_in_at": "2026-06-01T08:00:00Z"}


def deliveries_about(
    numbers: range, participant: Callable[[int], JsonObject] = in_many_events, attempt: int = 0
) -> Arrays:
    """A delivery about each of these people. `attempt`: so that it is another one, beside `data`; 0: nothing is."""
    people = [participant(number) for number in numbers]
    end = b',"attempt":%d}' % attempt if attempt else b"}"
    bodies = [body_of(person)[:-1] + end for person in people]
    ids = [str(person["id"]) for person in people]
    return bodies, [sign(body, SECRET) for body in bodies], ["event.participant.created"] * len(people), ids


def _fill(both: tuple[Checkout, ...]) -> None:
    logs = [_session(checkout) for checkout in both]
    for begin in range(0, PEOPLE, _BATCH):
        arrays = deliveries_about(range(begin, begin + _BATCH))
        for log in logs:
            append(log, arrays, 1_000)
        print(".", end="", flush=True)
    print(f" {PEOPLE:,} people", flush=True)
    for checkout, log in zip(both, logs, strict=True):
        log.execute("vacuum (analyze) event_log")
        checkout.run("-m", "projections", "rebuild", "--yes", "--jobs", "2")
        log.execute("vacuum (analyze)")
        log.execute("checkpoint")
        log.close()


def _session(checkout: Checkout) -> psycopg.Connection[Any]:
    return psycopg.connect(checkout.conninfo, autocommit=True, application_name="bench")


def _folds(checkout: Checkout, first: int, participant: Callable[[int], JsonObject]) -> Callable[[], Cost]:
    """Folds the next events: what an idle worker needs from their commit until they are on the roster."""
    rounds = iter(range(1, ROUNDS + 2))

    def fold() -> Cost:
        number = next(rounds)
        begin = number * FOLDED + first
        arrays = deliveries_about(range(begin, begin + FOLDED), participant, number)
        with checkout.running("worker") as worker, _session(checkout) as log, _session(checkout) as monitor:
            time.sleep(3)
            monitor.execute("checkpoint")
            log.execute("begin")
            append(log, arrays, 1_000)
            head = _value(log, b"select max(position) from event_log")
            with costs_of(worker, monitor) as costs:
                log.execute("commit")
                while _value(monitor, _POSITION) < head:
                    time.sleep(0.02)
        return costs[0]

    return fold


def _rebuilt(checkout: Checkout) -> Cost:
    """The rebuild, from its first table to a build that could go live."""
    with _session(checkout) as monitor:
        monitor.execute("checkpoint")
        with costs_of_run(monitor) as costs:
            checkout.run("-c", _REBUILD, checkout.conninfo)
    return costs[0]


def _compare_reading(apis: Mapping[str, tuple[Api, Checkout]]) -> None:
    for sort in _SORTS:
        pages = {name: {"limit": 100, "sort": sort} for name in apis}
        _compare_requests(f"page of 100, {sort}", apis, {name: [query] for name, query in pages.items()})
        if sort == "last_name":
            deep = {name: [{**pages[name], "cursor": _deep(api, sort)}] for name, (api, _) in apis.items()}
            _compare_requests(f"the same after {_DEPTH * 1000:,}", apis, deep)
    chosen = random.Random(1)
    searches = [{"limit": 100, "q": chosen.choice(WORDS)} for _ in range(ASKED)]
    _compare_requests("search", apis, dict.fromkeys(apis, searches))
    of_one = [{"participant_id": in_many_events(chosen.randrange(PEOPLE))["id"]} for _ in range(ASKED)]
    _compare_requests("one participant", apis, dict.fromkeys(apis, of_one))


def _compare_requests(
    name: str, apis: Mapping[str, tuple[Api, Checkout]], queries: Mapping[str, list[JsonObject]]
) -> None:
    ways = {each: partial(_asked, *apis[each], queries[each]) for each in apis}
    _compare(f"{name}, request", ways, ASKED, 1e3)


def _asked(api: Api, checkout: Checkout, queries: list[JsonObject]) -> Cost:
    with _session(checkout) as monitor, costs_of(api.process, monitor) as costs:
        for number in range(ASKED):
            query = queries[number % len(queries)]
            if "participant_id" in query:
                api.read(f"/v1/participants/{query['participant_id']}")
            else:
                api.read("/v1/participants", **query)
    return costs[0]


def _deep(api: Api, sort: str) -> str:
    cursor: dict[str, str] = {}
    for _ in range(_DEPTH):
        cursor = {"cursor": api.get("/v1/participants", limit=1000, sort=sort, **cursor)["next"]}
    page = api.get("/v1/participants", limit=100, sort=sort, **cursor)
    return str(page["next"])


def _compare(name: str, ways: Ways, times: int, unit: float, warm_up: int = 1) -> None:
    """Measure in turn, after so many rounds to warm up; the unit is seconds divided by `unit`."""
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    for number in range(ROUNDS + warm_up):
        for way, run in ways.items() if number % 2 else reversed([*ways.items()]):
            cost = run()
            if number >= warm_up:
                costs[way].append(cost)
    show_head()
    for part in ("took", "program", "postgres", "cpu"):
        values = {way: [getattr(cost, part) / times * unit for cost in costs[way]] for way in ways}
        for way in ways:
            show(f"{name}: {part}, {way}", values[way], 2)
        if min(values["base"]) > 0:
            show("this / base", [this / base for this, base in zip(values["this"], values["base"], strict=True)], 3)


def _value(connection: psycopg.Connection[Any], query: bytes) -> Any:  # noqa: ANN401 - of the type that it selects
    return (connection.execute(query).fetchone() or (None,))[0]
