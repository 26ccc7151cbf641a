"""Brings a loaded build to where the log is by now, as a worker would, and to what was erased and lifted meanwhile."""

from collections.abc import Callable

from sqlalchemy import Connection, Engine

from ingest.failures import Failure
from ingest.log.read import erasure_marks, heads
from projections.folding import checkpoint
from projections.folding.batch import fold_next
from projections.folding.projection import Build, Projection, Track
from projections.folding.refold import refold_in

Marks = dict[tuple[str, str], tuple[str, ...]]
_ROUNDS = 1_000


class CannotCatchUp(Failure):
    """A build does not reach the end of the log; the live roster is as it was."""


def lag(connection: Connection, build: Build) -> int:
    """How many events the build is behind the log, all sources together."""
    done = checkpoint.positions(connection, build)
    return sum(max(head - done.get(source, 0), 0) for source, head in heads(connection).items())


def catch_up(engine: Engine, projection: Projection, build: Build, limit: int, told: Callable[[int], None]) -> None:
    """Fold what arrived since, each batch a transaction, until little is left. `told` gets the events of each batch."""
    for _ in range(_ROUNDS):
        with engine.connect() as connection:
            targets = heads(connection)
            done = checkpoint.positions(connection, build)
        behind = {source: head for source, head in targets.items() if head > done.get(source, 0)}
        for source, head in behind.items():
            _reach(engine, Track(projection, build, source), head, limit, told)
        if sum(head - done.get(source, 0) for source, head in behind.items()) <= limit:
            return
    raise CannotCatchUp("more arrives than is folded: try again when there is less going on")


def _reach(engine: Engine, track: Track, head: int, limit: int, told: Callable[[int], None]) -> None:
    position = 0
    while position < head:
        with engine.begin() as connection:
            folded = fold_next(connection, track, limit)
            if not folded:
                raise CannotCatchUp("somebody else holds the checkpoints of the build: try again")
            position = checkpoint.positions(connection, track.build)[track.source]
        told(folded)


def settle(engine: Engine, projection: Projection, build: Build, limit: int) -> Marks:
    """Fold everybody again of whom there is an erasure, lifted or not; gives the marks that the erasures had before.

    A job may have read a body right before it was erased, and written the row right after; and carrying out an erasure
    again takes somebody out of every build, whom their lifting brings back into the live one alone.
    """
    with engine.connect() as connection:
        marks = erasure_marks(connection)
    for source, subject in marks:
        with engine.begin() as connection:
            _fold_again(connection, Track(projection, build, source), subject, limit)
    return marks


def settle_since(connection: Connection, projection: Projection, build: Build, before: Marks, limit: int) -> None:
    """The same for those whose erasures changed since, in the caller's transaction."""
    for (source, subject), mark in erasure_marks(connection).items():
        if before.get((source, subject)) != mark:
            _fold_again(connection, Track(projection, build, source), subject, limit)


def _fold_again(connection: Connection, track: Track, subject: str, limit: int) -> None:
    refold_in(connection, track, subject, checkpoint.lock(connection, track), limit)
