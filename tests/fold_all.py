"""Ways to advance the projections, and to ask the database."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine

from ingest.database import WORKER_ROLE, sync_engine
from ingest.log.scan import Share
from projections.catalogue import catalogue
from projections.folding import builds, tries
from projections.folding.projection import Build, Projection
from projections.folding.worker import Beat, Worker
from projections.rebuild.load import load_shares
from projections.rebuild.rebuild import Rebuild, build_beside
from projections.rebuild.steps import Log
from tests import DEADLINE, model

PROJECTIONS = catalogue(None)
PARTICIPANTS, REGISTRATIONS = PROJECTIONS


def drain(engine: Engine, source: str = "movemint", limit: int = 500) -> int:
    """Fold everything there is into every projection; gives the number of events."""
    for projection in PROJECTIONS:
        total = 0
        while folded := tries.run_once(engine, projection, source, limit):
            total += folded
    return total


def fill(conninfo: str, bodies: Iterable[bytes]) -> str:
    """A log of these deliveries, and the roster of it; gives the database's address."""
    model.append(conninfo, list(bodies))
    worker = sync_engine(conninfo, WORKER_ROLE)
    try:
        drain(worker)
    finally:
        worker.dispose()  # nobody may be connected to what is copied
    return conninfo


@contextmanager
def working(
    engine: Engine,
    limit: int,
    beat: Beat = lambda _is_read: None,
    projections: Sequence[Projection] = PROJECTIONS,
    poll_seconds: float = 0.01,
) -> Iterator[None]:
    """A worker in a thread of its own."""
    stop = threading.Event()
    thread = threading.Thread(target=Worker(engine, projections, limit).run, args=(poll_seconds, stop, beat))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=DEADLINE)


def query(conninfo: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(conninfo) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def forget_projections(conninfo: str) -> None:
    """As if nothing had been folded yet: no build is live."""
    with psycopg.connect(conninfo) as connection:
        connection.execute("update projection set live = null, previous = null")


def contents(conninfo: str, projection: Projection, build: Build) -> dict[str, list[dict[str, Any]]]:
    """Everything that a build holds, in an order of its own making: no row says which build it is of."""
    held = {
        table: [
            row[0]
            for row in query(
                conninfo,
                f"select to_jsonb(t) - 'build' as row from {build.table(table)} t order by (to_jsonb(t))::text",
            )
        ]
        for table in projection.columns
    }
    for table in ("quarantine", "unknown_event_type"):
        rows = query(
            conninfo,
            f"select to_jsonb(t) - 'build' - 'parked_at' from {table} t where projection = %s and build = %s "
            "order by (to_jsonb(t) - 'parked_at')::text",
            projection.name,
            build.number,
        )
        held[table] = [row[0] for row in rows]
    return held


def live(engine: Engine, projection: Projection) -> Build:
    with engine.connect() as connection:
        build = builds.live(connection, projection.name)
    assert build is not None
    return build


def build_anew(engine: Engine, projection: Projection, shares: int = 2) -> Build:
    """A build beside the live one, as a rebuild makes it, but loaded by this process, share after share."""
    return build_beside(Rebuild(engine, "", projection, None, shares, 100), load_here)


def load_here(rebuild: Rebuild, build: Build, log: Log, advance: Callable[[int], None]) -> None:
    for number in range(rebuild.jobs):
        shares = [Share(source, head, number, rebuild.jobs) for source, head in log.heads.items()]
        load_shares(rebuild.engine, rebuild.projection, build, shares, advance, log.snapshot)
