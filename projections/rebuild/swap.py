"""Swaps the live build for another one, in one short transaction that no reader waits for, and drops old builds."""

import time

from psycopg import errors
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from ingest.failures import Failure
from projections.folding import builds, checkpoint
from projections.folding.batch import fold_next
from projections.folding.projection import Build, Projection, Track
from projections.rebuild.catch_up import catch_up, refold_erased, refold_erased_since

_TRIES = 20
_MOST_BATCHES = 5  # that the transaction of the swap may fold


class CannotSwap(Failure):
    """The build could not go live now; the live build is unchanged."""


def swap(engine: Engine, projection: Projection, build: Build, limit: int) -> None:
    """Make a build live once it is as far as the live one for every source; the live one becomes the previous one.

    Workers wait for the swap, readers do not: they see the old build before its commit, the new one after.
    Raises `CannotCatchUp`, `CannotSwap`.
    """
    for _ in range(_TRIES):
        catch_up(engine, projection, build, limit, lambda _: None)
        marks = refold_erased(engine, projection, build, limit)
        try:
            with engine.begin() as connection:
                connection.execute(text("set local lock_timeout = '2s'"))
                checkpoint.stop_all(connection)
                if _reach_live(connection, projection, build, limit):
                    refold_erased_since(connection, projection, build, marks, limit)
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
    """Fold the events that only the live build has folded; False if there are too many for the swap's transaction."""
    live = builds.live(connection, projection.name)
    ahead = checkpoint.positions(connection, live) if live else {}
    done = checkpoint.positions(connection, build)
    missing = {source: position for source, position in ahead.items() if position > done.get(source, 0)}
    if sum(position - done.get(source, 0) for source, position in missing.items()) > _MOST_BATCHES * limit:
        return False
    for source, position in missing.items():
        while checkpoint.positions(connection, build).get(source, 0) < position:
            if not fold_next(connection, Track(projection, build, source), limit):
                return False
    return True


class InTheWay(Exception):
    """An object that is not rosterlog's depends on a table of a build, so the table cannot be dropped."""


def drop(engine: Engine, build: Build) -> bool:
    """Drop a build that is not live. False if readers keep one of its tables locked; the next rebuild drops it then.

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
    """Try a few times, each with a short lock time-out, so that readers never queue for long behind the lock."""
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
    """Drop every build that is neither live nor previous; gives messages about builds that could not be dropped."""
    with engine.connect() as connection:
        beside = builds.beside(connection, name)
    messages = []
    for build in beside:
        try:
            if not drop(engine, build):
                messages.append(f"build {build.number} of {name} is being read from: the next rebuild drops it")
        except InTheWay as error:
            messages.append(str(error))
    return messages
