"""The steps of a rebuild up to a build that could go live: one at a time, made, loaded, attached, counted."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from ingest.failures import Failure
from ingest.log.read import heads
from ingest.log.scan import check_whole, snapshot
from projections.folding import builds, checkpoint
from projections.folding.projection import Build, Projection, Track
from projections.rebuild.catch_up import settle
from projections.rebuild.swap import drop_beside

_SETTINGS = "set local synchronous_commit = off"  # nobody has to wait for the disk before the swap
# What is sorted in pieces that a core's cache can hold takes a quarter less time than in one that it cannot: keys begin
# with the same source, so that most comparisons look into the rows themselves.
_SORTING = "set local maintenance_work_mem = '8MB'"
_MOST_SESSIONS = 4  # of the database, which may well have other work
_LOCK = "select pg_try_advisory_lock(1919906928, hashtext(:name))"
_UNLOCK = "select pg_advisory_unlock(1919906928, hashtext(:name))"


class AnotherRebuild(Failure):
    """Another rebuild of this projection is under way."""


@contextmanager
def only_one(engine: Engine, name: str) -> Iterator[list[str]]:
    """Be the only rebuild of this projection; what one before left unfinished is dropped. Raises `AnotherRebuild`.

    Gives what keeps some of it from being dropped.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(text(_LOCK), {"name": name}).scalar_one():
            raise AnotherRebuild(f"another rebuild of {name} is under way: wait until it is done")
        try:
            yield drop_beside(engine, name)
        finally:
            with suppress(DBAPIError):
                connection.execute(text(_UNLOCK), {"name": name})


def begin_build(engine: Engine, projection: Projection) -> Build:
    """A new build, whose tables are empty."""
    with engine.begin() as connection:
        return builds.begin(connection, projection)


@dataclass(frozen=True, slots=True)
class Log:
    """The log as one snapshot has it, which other sessions can read too: its name, and the heads of the sources."""

    snapshot: str
    heads: dict[str, int]


@contextmanager
def whole_log(engine: Engine) -> Iterator[Log]:
    """The log as it is at this moment, for the block. Raises `HoleInLog` if it is damaged."""
    with engine.connect() as connection:
        reading = connection.connection.driver_connection
        assert isinstance(reading, psycopg.Connection)  # noqa: S101 - what our engines are made of
        with snapshot(reading) as name:
            up_to = heads(connection)
            for source, head in up_to.items():
                check_whole(connection, source, head)
            yield Log(name, up_to)


def make_indexes(engine: Engine, projection: Projection, build: Build, sessions: int) -> None:
    """Make the indexes of a loaded build in so many sessions of the database at once, four at the most."""

    def make(one: tuple[str, str]) -> None:
        with engine.begin() as connection:
            connection.execute(text(f"{_SETTINGS}; {_SORTING}"))
            builds.make_index(connection, build, *one)

    with engine.connect() as connection:
        tables = builds.tables(connection, projection.name)
        wanted = [(table, index) for table in tables for index in builds.indexes(connection, table)]
    with ThreadPoolExecutor(min(sessions, _MOST_SESSIONS)) as threads:
        for _ in threads.map(make, wanted):
            pass


def attach_tables(engine: Engine, projection: Projection, build: Build, up_to: Mapping[str, int], limit: int) -> None:
    """Put the tables in their place, with indexes, count what is counted, and say how far the build is.

    The planner's statistics come last: they must not keep samples of somebody who was erased meanwhile.
    """
    with engine.connect() as connection:
        tables = builds.tables(connection, projection.name)
    for table in tables:
        with engine.begin() as connection:
            connection.execute(text(_SETTINGS))
            builds.attach(connection, build, table)
    with engine.begin() as connection:
        connection.execute(text(_SETTINGS))
        # An erasure waits meanwhile: what it takes away is either counted and uncounted again, or neither.
        connection.execute(text("lock table checkpoint in row share mode"))
        projection.finish(connection, build)
        for source, head in up_to.items():
            track = Track(projection, build, source)
            checkpoint.lock(connection, track)
            checkpoint.move(connection, track, head)
    settle(engine, projection, build, limit)
    for table in tables:
        with engine.begin() as connection:
            builds.analyze(connection, build, table)


def vacuum_build(connection: Connection, build: Build) -> None:
    """Let index-only scans work at once, as far as the login owns the tables. The connection is in autocommit mode."""
    try:
        tables = builds.tables(connection, build.projection)
        connection.execute(text("reset role"))
        for table in tables:
            connection.execute(text(f"vacuum (analyze) {build.table(table)}"))
    finally:
        connection.invalidate()  # nobody else shall have it without its role


def default_jobs() -> int:
    """As many as this process may use cores, four at the most: the database works on the same machine, often."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 4)
