"""Swaps the live build for another one, in one short transaction that no reader waits for, and drops old builds."""

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from ingest.failures import Failure
from ingest.sqlstate import is_blocked
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
            if not is_blocked(error):
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
        reached = done.get(source, 0)
        while reached < position:
            folded = fold_next(connection, Track(projection, build, source), limit)
            if not folded:
                return False
            reached += folded  # positions have no holes
    return True
