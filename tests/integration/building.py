"""Ways to advance the projections, and to ask the database."""

from typing import Any

import psycopg
from sqlalchemy import Engine

from ingest.log.scan import Stripe
from projections import builds, worker
from projections.builds import Build
from projections.catalogue import projections
from projections.projection import Projection
from projections.rebuild import building
from projections.rebuild.catching_up import catch_up
from projections.rebuild.load import load

PROJECTIONS = projections(None)
PARTICIPANTS, REGISTRATIONS = PROJECTIONS


def drain(engine: Engine, source: str = "movemint", limit: int = 500) -> int:
    """Fold everything there is into every projection; gives the number of events."""
    for projection in PROJECTIONS:
        total = 0
        while folded := worker.run_once(engine, projection, source, limit):
            total += folded
    return total


def query(conninfo: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(conninfo) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def forget_projections(conninfo: str) -> None:
    """As if nothing had been folded yet: no build is live."""
    with psycopg.connect(conninfo) as connection:
        connection.execute("update projection set live = null, previous = null")


def contents(conninfo: str, projection: Projection, build: Build) -> dict[str, list[dict[str, Any]]]:
    """Everything that a build holds, in an order of its own making: no row says which build it is of."""
    found = {
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
        found[table] = [row[0] for row in rows]
    return found


def live(engine: Engine, projection: Projection) -> Build:
    with engine.connect() as connection:
        found = builds.live(connection, projection.name)
    assert found is not None
    return found


def build_anew(engine: Engine, projection: Projection, shares: int = 2) -> Build:
    """A build beside the live one, loaded, attached and caught up; in this process."""
    build = building.begin(engine, projection)
    with building.whole_log(engine) as log:
        up_to = log.heads
        for share in range(shares):
            stripes = [Stripe(source, head, share, shares) for source, head in up_to.items()]
            load(engine, projection, build, stripes, lambda _: None, log.snapshot)
    building.make_indexes(engine, projection, build, shares)
    building.attach(engine, projection, build, up_to, 100)
    catch_up(engine, projection, build, 100, lambda _: None)
    return build
