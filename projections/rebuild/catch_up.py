"""Catches a loaded build up with the log, as a worker would, and with erasures and liftings made meanwhile."""

from collections.abc import Callable

from sqlalchemy import Connection, Engine

from ingest.failures import Failure
from ingest.log.read import erasure_marks, heads
from projections.folding import checkpoint
from projections.folding.batch import fold_next
from projections.folding.projection import Build, Projection, Track
from projections.folding.refold import refold_in

Marks = dict[tuple[str, str], tuple[str, ...]]  # by source and subject; a changed erasure has another mark
_MOST_ROUNDS = 1_000


class CannotCatchUp(Failure):
    """The build does not reach the heads of the log; the live build is unchanged."""


def lag(connection: Connection, build: Build) -> int:
    """How many events the build is behind the log, all sources together."""
    done = checkpoint.positions(connection, build)
    return sum(max(head - done.get(source, 0), 0) for source, head in heads(connection).items())


def catch_up(engine: Engine, projection: Projection, build: Build, limit: int, advance: Callable[[int], None]) -> None:
    """Fold what arrived since, in rounds, until a round is no larger than one batch.

    Each batch is a transaction; `advance` gets its number of events. Raises `CannotCatchUp`.
    """
    for _ in range(_MOST_ROUNDS):
        with engine.connect() as connection:
            targets = heads(connection)
            done = checkpoint.positions(connection, build)
        behind = {source: head for source, head in targets.items() if head > done.get(source, 0)}
        for source, head in behind.items():
            _reach(engine, Track(projection, build, source), done.get(source, 0), head, limit, advance)
        if sum(head - done.get(source, 0) for source, head in behind.items()) <= limit:
            return
    raise CannotCatchUp("more arrives than is folded: try again when there is less going on")


def _reach(engine: Engine, track: Track, position: int, head: int, limit: int, advance: Callable[[int], None]) -> None:
    """Fold from a checkpoint's position, which nobody else moves, to the head."""
    while position < head:
        with engine.begin() as connection:
            folded = fold_next(connection, track, limit)
        if not folded:
            raise CannotCatchUp("another transaction has locked the build's checkpoint: try again")
        position += folded  # positions have no holes
        advance(folded)


def refold_erased(engine: Engine, projection: Projection, build: Build, limit: int) -> Marks:
    """Refold every participant that has an erasure, lifted or not; gives the erasures' marks from before.

    A loader may have read a body right before an erasure emptied it, and written the row right after. And an erasure
    that is carried out again deletes rows in every build, but its lifting restores them in the live build alone.
    """
    with engine.connect() as connection:
        marks = erasure_marks(connection)
    for source, subject in marks:
        with engine.begin() as connection:
            _refold(connection, Track(projection, build, source), subject, limit)
    return marks


def refold_erased_since(
    connection: Connection, projection: Projection, build: Build, before: Marks, limit: int
) -> None:
    """Refold the participants whose erasures changed since the marks `before`, in the caller's transaction."""
    for (source, subject), mark in erasure_marks(connection).items():
        if before.get((source, subject)) != mark:
            _refold(connection, Track(projection, build, source), subject, limit)


def _refold(connection: Connection, track: Track, subject: str, limit: int) -> None:
    refold_in(connection, track, subject, checkpoint.lock(connection, track), limit)
