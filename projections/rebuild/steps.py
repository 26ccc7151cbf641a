"""The steps of a rebuild before its swap: lock, begin, snapshot of the log, indexes, attaching, vacuum."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from ingest.citus import is_distributed
from ingest.database import sync_engine
from ingest.failures import Failure
from ingest.log.read import heads
from ingest.log.scan import check_whole, snapshot
from ingest.session import LONG
from projections.folding import builds, checkpoint
from projections.folding.projection import Build, Projection
from projections.rebuild.catch_up import refold_erased
from projections.rebuild.drop import drop_beside

_SETTINGS = "set local synchronous_commit = off"  # only the commit of the swap has to wait for the disk
# Sorting in runs that fit into a core's cache takes a quarter less time than in one run that does not: all keys begin
# with the same source, so most comparisons have to read the row.
_SORTING = "set local maintenance_work_mem = '8MB'"
_MOST_SESSIONS = 4  # the database may have other work
_NOTE_SECONDS = 1.0
_LOCK = text("select pg_try_advisory_lock(:lock, hashtext(:name))")
_UNLOCK = text("select pg_advisory_unlock(:lock, hashtext(:name))")
_LOCK_BUILD = text("select from projection_build b where b.projection = :projection and b.build = :build for update")
# An erasure may have set one to 0, which it locked.
_SET_CHECKPOINTS = text("""
insert into checkpoint (source, projection, build, position, moved_at)
select l.source, :projection, :build, l.position, now()
from unnest(cast(:sources as text[]), cast(:positions as bigint[])) as l (source, position)
order by l.source
on conflict on constraint checkpoint_pkey do update set position = excluded.position, moved_at = excluded.moved_at
""")


class AnotherRebuild(Failure):
    """Another rebuild of this projection is under way."""


@contextmanager
def only_one(engine: Engine, name: str) -> Iterator[list[str]]:
    """Be the only rebuild of this projection for the block, and drop the unfinished builds of earlier rebuilds.

    Gives messages about builds that could not be dropped. Raises `AnotherRebuild`.
    """
    keys = {"lock": builds.REBUILD_LOCK, "name": name}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(_LOCK, keys).scalar_one():
            raise AnotherRebuild(f"another rebuild of {name} is under way: wait until it is done")
        try:
            yield drop_beside(engine, name)
        finally:
            with suppress(DBAPIError):
                connection.execute(_UNLOCK, keys)


def begin_build(engine: Engine, projection: Projection) -> Build:
    """A new build with empty tables."""
    with engine.begin() as connection:
        return builds.begin(connection, projection)


@dataclass(frozen=True, slots=True)
class Log:
    """The log in one exported snapshot: the snapshot's name, for other sessions, and the heads by source.

    `is_shared`: other sessions see that snapshot. On Citus each takes one of its own from the nodes.
    """

    snapshot: str
    heads: dict[str, int]
    is_shared: bool = True


@contextmanager
def whole_log(engine: Engine) -> Iterator[Log]:
    """Export a snapshot of the log, valid for the block. Raises `HoleInLog` if a position is missing."""
    with engine.connect() as connection:
        reading = connection.connection.driver_connection
        assert isinstance(reading, psycopg.Connection)  # noqa: S101 - the driver of our engines
        with snapshot(reading) as name:
            log = Log(name, heads(connection), is_shared=not is_distributed(connection))
            for source, head in log.heads.items():
                check_whole(connection, source, head)
            yield log


def noted(engine: Engine, build: Build, to_load: int, advance: Callable[[int], None]) -> Callable[[int], None]:
    """`advance`, which also writes down, about once a second, how much of the log the build has."""
    loaded, noted_at = 0, float("-inf")

    def advance_noted(number: int) -> None:
        nonlocal loaded, noted_at
        advance(number)
        loaded += number
        if time.monotonic() - noted_at >= _NOTE_SECONDS or loaded >= to_load:
            noted_at = time.monotonic()
            with suppress(DBAPIError), engine.begin() as connection:  # it is noted again soon
                builds.note_loaded(connection, build, loaded, to_load)

    return advance_noted


def make_indexes(engine: Engine, projection: Projection, build: Build, sessions: int) -> None:
    """Build the indexes of a loaded build in this many sessions at once, at most four."""

    def make(index: tuple[str, str]) -> None:
        with engine.begin() as connection:
            connection.execute(text(f"{_SETTINGS}; {_SORTING}"))
            builds.make_index(connection, build, *index)

    with engine.connect() as connection:
        tables = builds.tables(connection, projection.name)
        indexes = [(table, index) for table in tables for index in builds.indexes(connection, table)]
    with ThreadPoolExecutor(min(sessions, _MOST_SESSIONS)) as threads:
        for _ in threads.map(make, indexes):
            pass


def attach_tables(engine: Engine, projection: Projection, build: Build, up_to: Mapping[str, int], limit: int) -> None:
    """Attach the loaded tables, derive the counts, set the checkpoints, refold erased participants, then analyze.

    The statistics come last: they must not hold samples of a participant who was erased while the build was loaded.
    `up_to`: by source, the last position that was loaded.
    """
    with engine.connect() as connection:
        tables = builds.tables(connection, projection.name)
    for table in tables:
        with engine.begin() as connection:
            connection.execute(text(_SETTINGS))
            builds.attach(connection, build, table)
    with engine.begin() as connection:
        connection.execute(text(_SETTINGS))
        checkpoint.pin_live(connection)
        # An erasure waits for this lock: a row that it deletes was counted and is subtracted, or was never counted.
        connection.execute(_LOCK_BUILD, {"projection": build.projection, "build": build.number})
        projection.finish(connection, build)
        up_to_here = {"sources": [*up_to], "positions": [*up_to.values()]}
        connection.execute(_SET_CHECKPOINTS, {"projection": build.projection, "build": build.number, **up_to_here})
    refold_erased(engine, projection, build, limit)
    for table in tables:
        with engine.begin() as connection:
            builds.analyze(connection, build, table)


def vacuum_build(conninfo: str, build: Build) -> None:
    """Vacuum those tables of a build that the login itself owns, in no role, so that index-only scans work at once."""
    owner = sync_engine(conninfo, None, LONG)
    try:
        with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in builds.tables(connection, build.projection):
                connection.execute(text(f"vacuum (analyze) {build.table(table)}"))
    finally:
        owner.dispose()


def default_jobs() -> int:
    """The number of cores that this process may use, at most four: the database is often on the same machine."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 4)
