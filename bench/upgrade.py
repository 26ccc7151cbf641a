"""`rosterlog migrate` on the database of an older release: how long it takes, and how long it keeps others waiting."""

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

from bench.checkout import Checkout, costs_of_run
from bench.filling import append
from bench.load import SECRET
from ingest.signature import sign

_ROW = b"select * from participants where source = 'movemint' order by participant_id limit 1"
_PAUSE = 0.02  # seconds


def show_upgrade(old: Checkout, new: Checkout) -> None:
    """Migrate the database of `old` to the schema of `new`, while one session reads the roster and one appends."""
    done = threading.Event()
    longest: dict[str, float] = {}
    ways: dict[str, Callable[[psycopg.Connection[Any], int], object]] = {
        "a reader of the roster": lambda session, _: session.execute(_ROW).fetchall(),
        "a delivery": lambda session, number: append(session, _delivery(number), 1),
    }
    watching = [
        threading.Thread(target=_watch, args=(old.conninfo, name, ask, done, longest)) for name, ask in ways.items()
    ]
    for thread in watching:
        thread.start()
    session = psycopg.connect(old.conninfo, autocommit=True, application_name="bench")
    with session as monitor, costs_of_run(monitor) as costs:
        new.run("-m", "projections", "migrate", conninfo=old.conninfo)
    done.set()
    for thread in watching:
        thread.join()
    [cost] = costs
    print(f"\nmigration: {cost.took:.1f} s, of CPU {cost.program:.1f} s itself and {cost.postgres:.1f} s PostgreSQL")
    for name, seconds in longest.items():
        print(f"{name} waited {seconds:.1f} s at the most", flush=True)


def _delivery(number: int) -> tuple[list[bytes], list[str], list[str], list[str]]:
    body = b'{"type":"event.participant.created","data":{"object":{"id":%d}}}' % (900_000_000 + number)
    return [body], [sign(body, SECRET)], ["event.participant.created"], [str(900_000_000 + number)]


def _watch(
    conninfo: str,
    name: str,
    ask: Callable[[psycopg.Connection[Any], int], object],
    done: threading.Event,
    longest: dict[str, float],
) -> None:
    number = 0
    longest[name] = 0.0
    with psycopg.connect(conninfo, autocommit=True, application_name="bench") as session:
        while not done.is_set():
            begun = time.perf_counter()
            ask(session, number)
            longest[name] = max(longest[name], time.perf_counter() - begun)
            number += 1
            time.sleep(_PAUSE)
