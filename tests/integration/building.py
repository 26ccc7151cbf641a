"""Ways to advance the projections, and to ask the database."""

from typing import Any

import psycopg
from sqlalchemy import Engine

from projections import worker
from projections.catalogue import projections

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
