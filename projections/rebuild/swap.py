"""Lets readers see another build: one short transaction, decided in the log's own order, that no reader waits for."""

import time

from psycopg import errors
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from ingest.failures import Failure
from projections.folding import builds, checkpoint
from projections.folding.batch import fold_next
from projections.folding.projection import Build, Projection, Track
from projections.rebuild.catch_up import catch_up, settle, settle_since

_TRIES = 20
_MOST_AT_ONCE = 5  # batches that may be left for the swap itself


class CannotSwap(Failure):
    """The build could not be made live now; the live roster is as it was."""


def swap(engine: Engine, projection: Projection, build: Build, limit: int) -> None:
    """Make a build live that is at least as far as the live one, for every source. The live one becomes the previous.

    Workers wait for the moment of the swap, readers do not: they see the one build before its commit, the other after.
    """
    for _ in range(_TRIES):
        catch_up(engine, projection, build, limit, lambda _: None)
        settled = settle(engine, projection, build, limit)
        try:
            with engine.begin() as connection:
                connection.execute(text("set local lock_timeout = '2s'"))
                checkpoint.stop_all(connection)
                if _reach_live(connection, projection, build, limit):
                    settle_since(connection, projection, build, settled, limit)
                    builds.go_live(connection, build)
                    return
        except DBAPIError as error:
            if not isinstance(error.orig, errors.LockNotAvailable):
                raise
    raise CannotSwap(
        "the new roster could not be made live, since more arrives than is folded or the checkpoints are locked; the "
        "live roster is as it was: try again"
    )


def _reach_live(connection: Connection, projection: Projection, build: Build, limit: int) -> bool:
    """Fold what the live build has and this one has not; false if that is too much for a moment."""
    live = builds.live(connection, projection.name)
    ahead = checkpoint.positions(connection, live) if live else {}
    done = checkpoint.positions(connection, build)
    missing = {source: position for source, position in ahead.items() if position > done.get(source, 0)}
    if sum(position - done.get(source, 0) for source, position in missing.items()) > _MOST_AT_ONCE * limit:
        return False
    for source, position in missing.items():
        while checkpoint.positions(connection, build).get(source, 0) < position:
            if not fold_next(connection, Track(projection, build, source), limit):
                return False
    return True


class InTheWay(Exception):
    """Somebody else's object is made on a table of one build, and keeps it from being dropped."""


def drop(engine: Engine, build: Build) -> bool:
    """Drop a build that is not live. False if readers hold one of its tables back; then the next rebuild does it.

    Raises `InTheWay`.
    """
    with engine.connect() as connection:
        tables = builds.tables(connection, build.projection)
    dropped = [_drop_table(engine, build, table) for table in tables]
    if not all(dropped):
        return False
    with engine.begin() as connection:
        builds.forget(connection, build)
    return True


def _drop_table(engine: Engine, build: Build, table: str) -> bool:
    """Readers never queue behind this for longer than its own short lock time-out."""
    for turn in range(_TRIES):
        try:
            with engine.begin() as connection:
                builds.drop_table(connection, build, table)
        except DBAPIError as error:
            if isinstance(error.orig, errors.DependentObjectsStillExist):
                raise InTheWay(
                    f"{build.table(table)} cannot be dropped, since other objects depend on it, and will not be read "
                    f"from again: make them on the view instead ({error.orig.diag.message_detail})"
                ) from None
            if not isinstance(error.orig, errors.LockNotAvailable | errors.DeadlockDetected):
                raise
            time.sleep(0.05 * turn)
        else:
            return True
    return False


def drop_beside(engine: Engine, name: str) -> list[str]:
    """Drop every build that is neither live nor the one before; gives what keeps some of them from being dropped."""
    with engine.connect() as connection:
        beside = builds.beside(connection, name)
    held_back = []
    for build in beside:
        try:
            if not drop(engine, build):
                held_back.append(f"build {build.number} of {name} is being read from: the next rebuild drops it")
        except InTheWay as error:
            held_back.append(str(error))
    return held_back
