"""Brings a loaded build to where the log is by now, as a worker would, and to what was erased and lifted meanwhile."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, func, select

from ingest.log.read import erased_or_lifted_since, heads
from projections import checkpoint
from projections.builds import Build, projection_build
from projections.folding import advance
from projections.projection import Projection
from projections.refold import refold_in

_AN_ERASURE_TAKES = timedelta(minutes=1)  # at the most, from the time it notes to its commit


def lag(connection: Connection, build: Build) -> int:
    """How many events the build is behind the log, all sources together."""
    done = checkpoint.positions(connection, build)
    return sum(max(head - done.get(source, 0), 0) for source, head in heads(connection).items())


def catch_up(engine: Engine, projection: Projection, build: Build, limit: int, told: Callable[[int], None]) -> None:
    """Fold what arrived since, each batch a transaction, until little is left. `told` gets the events of each batch."""
    while True:
        with engine.connect() as connection:
            targets = heads(connection)
            done = checkpoint.positions(connection, build)
        behind = {source: head for source, head in targets.items() if head > done.get(source, 0)}
        for source, head in behind.items():
            _reach(engine, projection, build, source, head, limit, told)
        if sum(head - done.get(source, 0) for source, head in behind.items()) <= limit:
            return


def _reach(
    engine: Engine,
    projection: Projection,
    build: Build,
    source: str,
    head: int,
    limit: int,
    told: Callable[[int], None],
) -> None:
    position = 0
    while position < head:
        with engine.begin() as connection:
            folded = advance(connection, projection, build, source, limit) or 0
            position = checkpoint.positions(connection, build)[source]
        told(folded)


def settle(engine: Engine, projection: Projection, build: Build, limit: int) -> datetime:
    """Fold everybody again about whom an erasure was made or lifted since the build was begun.

    A job may have read a body right before it was erased, and written the row right after. Gives the database's time
    up to which this was looked at.
    """
    with engine.connect() as connection:
        begun = connection.execute(
            select(projection_build.c.begun_at).where(
                projection_build.c.projection == build.projection, projection_build.c.build == build.number
            )
        ).scalar_one()
        now = connection.execute(select(func.now())).scalar_one()
        people = erased_or_lifted_since(connection, begun - _AN_ERASURE_TAKES)
    for source, subject in people:
        with engine.begin() as connection:
            settle_one(connection, projection, build, source, subject, limit)
    return now - _AN_ERASURE_TAKES


def settle_one(
    connection: Connection, projection: Projection, build: Build, source: str, subject: str, limit: int
) -> None:
    """Fold one participant again in this build, up to where it is."""
    last = checkpoint.wait_for(connection, build, source)
    refold_in(connection, projection, build, source, subject, last, limit)
