"""Looks at every server all the time, by a plain client: when it took a write, and how far log and roster were then."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise

import psycopg

_EVERY_SECONDS = 0.2
_LONGEST_SECONDS = 4.0
_USUAL = 50  # looks
_MAKE = "create table if not exists public.watched (at timestamptz)"
_WRITE = "insert into public.watched values (clock_timestamp())"
_HEADS = "select coalesce((select max(position) from event_log), 0), coalesce(min(position), 0) from checkpoint"


@dataclass(frozen=True, slots=True)
class Look:
    """A write that was committed on a server. `at`: by the loop's clock, which is the monotonic one."""

    at: float
    server: str
    head: int
    folded: int


@contextmanager
def watching(servers: Mapping[str, str]) -> Iterator[list[Look]]:
    """Look for the block; gives the looks so far. `servers`: addresses by name, of a login that may make a table."""
    looks: list[Look] = []
    over = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_watch(servers, looks, over)))
    thread.start()
    try:
        yield looks
    finally:
        over.set()
        thread.join()


async def _watch(servers: Mapping[str, str], looks: list[Look], over: threading.Event) -> None:
    """Each look begins whatever has become of the ones before, which may wait for a server that stands still."""
    tasks: set[asyncio.Task[None]] = set()
    while not over.is_set():
        for server, address in servers.items():
            task = asyncio.create_task(_look(server, address, looks))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.sleep(_EVERY_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _look(server: str, address: str, looks: list[Look]) -> None:
    with suppress(psycopg.Error, TimeoutError):
        async with asyncio.timeout(_LONGEST_SECONDS):
            connection = await psycopg.AsyncConnection.connect(address, prepare_threshold=None)
            async with connection:
                if not looks:
                    await connection.execute(_MAKE)
                await connection.execute(_WRITE)
                row = await (await connection.execute(_HEADS)).fetchone()
            assert row is not None
            looks.append(Look(asyncio.get_running_loop().time(), server, *row))


def folded_at(looks: Sequence[Look], since: float) -> float | None:
    """When everything was on the roster that was in the log at that moment; None if it is not yet."""
    head = next((look.head for look in looks if look.at >= since), None)
    return next((look.at for look in looks if look.at >= since and head is not None and look.folded >= head), None)


def usual_delay(looks: Sequence[Look], before: float) -> float:
    """How long it took until everything of the log was on the roster, at worst, in the seconds before that moment.

    0 if nothing is known of it.
    """
    known = [look for look in looks if look.at <= before]
    delays = [at - look.at for look in known[-_USUAL:] if (at := folded_at(known, look.at)) is not None]
    return max(delays, default=0.0)


def after_outage(times: Sequence[float], since: float, to: float) -> float:
    """When the longest pause of that time was over."""
    within = [since, *sorted(each for each in times if since < each <= to)]
    pauses = [(after - before, after) for before, after in pairwise(within)]
    return max(pauses)[1] if pauses else float("inf")


def longest_pause(times: Sequence[float], since: float, to: float) -> float:
    """The longest time without one of these moments between two others."""
    within = [since, *sorted(each for each in times if since < each < to), to]
    return max(later - earlier for earlier, later in pairwise(within))
