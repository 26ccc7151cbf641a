"""Lifts an erasure, carries out every erasure again, follows one of another database; in one transaction each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, Engine, text

from ingest.database import OPERATOR_ROLE, WORKER_ROLE
from ingest.log import erase
from ingest.log.event import Erasure
from projections.folding import checkpoint
from projections.folding.projection import Projection
from projections.folding.refold import LockedTrack, lock_track, refold

_INHERITS = text(f"select current_user = '{OPERATOR_ROLE}' and pg_has_role('{WORKER_ROLE}', 'usage')")


@dataclass(frozen=True, slots=True)
class Reapplied:
    """How many erasures were carried out again, and how many bodies that emptied."""

    erasures: int
    emptied: int


def lift(
    engine: Engine, projections: Sequence[Projection], source: str, subject: str, operator: str, limit: int
) -> Sequence[int] | None:
    """Let projections see again a participant's events since the erasure; gives the positions of those events.

    None if no erasure is in force. `engine` is the operator's role; `limit`: events in memory at a time. Raises
    `OfAnotherDefinition`.
    """
    with engine.begin() as connection:
        # Checkpoints before the erasure's row: every transaction locks in this order, or two could deadlock.
        locked = _lock_all(connection, projections, source)
        if not erase.mark_lifted(connection, source, subject, operator):
            return None
        _refold(connection, locked, source, subject, limit)
        return erase.without_erasure(connection, source, subject)


def reapply(engine: Engine, projections: Sequence[Projection], limit: int, advance: Callable[[int], None]) -> Reapplied:
    """Carry out every erasure again, as after the restore of a backup. `advance` gets the number done each time.

    One transaction per participant, so that a participant whose erasure is lifted never disappears from the roster.
    Raises `OfAnotherDefinition`.
    """
    with engine.connect() as connection:
        erasures = [listed.erasure for listed in erase.all_erasures(connection)]
    emptied = 0
    by_participant = groupby(sorted(erasures, key=_participant), _participant)
    for (source, subject), of_participant in by_participant:
        group = list(of_participant)
        with engine.begin() as connection:
            emptied += sum(len(erase.carry_out(connection, source, erasure.erasure_id)) for erasure in group)
            if any(erasure.lifted_at is not None for erasure in group):
                locked = _lock_all(connection, projections, source)
                _refold(connection, locked, source, subject, limit)
        advance(len(group))
    return Reapplied(len(erasures), emptied)


def follow_lifted(
    engine: Engine,
    projections: Sequence[Projection],
    source: str,
    subject: str,
    write: Callable[[Connection], None],
    limit: int,
) -> None:
    """Write a participant's erasures, of which one was lifted elsewhere, and fold the participant again.

    Raises `OfAnotherDefinition`.
    """
    with engine.begin() as connection:
        with _as_worker(connection):
            checkpoint.stop_all(connection)  # as an erasure does that is carried out, and before it
        write(connection)
        _refold(connection, _lock_all(connection, projections, source), source, subject, limit)


def _participant(erasure: Erasure) -> tuple[str, str]:
    return erasure.source, erasure.subject


def _lock_all(connection: Connection, projections: Sequence[Projection], source: str) -> list[LockedTrack]:
    with _as_worker(connection):
        return [lock_track(connection, projection, source) for projection in projections]


def _refold(connection: Connection, locked: Sequence[LockedTrack], source: str, subject: str, limit: int) -> None:
    with _as_worker(connection):
        refold(connection, locked, source, subject, limit)


@contextmanager
def _as_worker(connection: Connection) -> Iterator[None]:
    """Only the worker's role may write projections; the operator's role is set again after the block.

    On Citus the operator's has the worker's rights, and stays: another role would be another connection to a node.

    An error in the block ends the transaction, and with it the worker's role.
    """
    if connection.execute(_INHERITS).scalar_one():
        yield
        return
    connection.execute(text(f"set local role {WORKER_ROLE}"))
    yield
    connection.execute(text(f"set local role {OPERATOR_ROLE}"))
