"""Lifts an erasure, and carries out all of them again: in the log and in every projection, in one transaction."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, Engine, text

from ingest.database import OPERATOR_ROLE, WORKER_ROLE
from ingest.log import erase
from ingest.log.event import Erasure
from projections.folding.projection import Projection
from projections.folding.refold import Held, hold, refold


@dataclass(frozen=True, slots=True)
class Reapplied:
    """How many erasures were carried out again, and how many bodies were still there."""

    erasures: int
    emptied: int


def lift(
    engine: Engine, projections: Sequence[Projection], source: str, subject: str, operator: str, limit: int
) -> Sequence[int] | None:
    """Let projections see again what arrived about a participant since; gives the positions of it.

    None if no erasure is in force. As the operator's role; `limit`: events in memory at a time. Raises
    `OfAnotherDefinition`.
    """
    with engine.begin() as connection:
        # The checkpoints first, in the order in which everything takes them before an erasure's row.
        held = _hold_all(connection, projections, source)
        if not erase.mark_lifted(connection, source, subject, operator):
            return None
        _refold(connection, held, source, subject, limit)
        return erase.without_erasure(connection, source, subject)


def reapply(engine: Engine, projections: Sequence[Projection], limit: int, advance: Callable[[int], None]) -> Reapplied:
    """Carry out every erasure again, as after the restore of a backup. `advance` gets the number done each time.

    One transaction per participant: nobody whose erasure was lifted is missing from the roster in between. Raises
    `OfAnotherDefinition`.
    """
    with engine.connect() as connection:
        erasures = [listed.erasure for listed in erase.all_erasures(connection)]
    emptied = 0
    by_participant = sorted(erasures, key=_participant)
    for (source, subject), group in groupby(by_participant, _participant):
        of_one = list(group)
        with engine.begin() as connection:
            emptied += sum(len(erase.carry_out(connection, source, one.erasure_id)) for one in of_one)
            if any(one.lifted_at is not None for one in of_one):
                held = _hold_all(connection, projections, source)
                _refold(connection, held, source, subject, limit)
        advance(len(of_one))
    return Reapplied(len(erasures), emptied)


def _participant(erasure: Erasure) -> tuple[str, str]:
    return erasure.source, erasure.subject


def _hold_all(connection: Connection, projections: Sequence[Projection], source: str) -> list[Held]:
    with _as_worker(connection):
        return [hold(connection, projection, source) for projection in projections]


def _refold(connection: Connection, held: Sequence[Held], source: str, subject: str, limit: int) -> None:
    with _as_worker(connection):
        refold(connection, held, source, subject, limit)


@contextmanager
def _as_worker(connection: Connection) -> Iterator[None]:
    """Projections are the worker's to write."""
    connection.execute(text(f"set local role {WORKER_ROLE}"))
    yield
    connection.execute(text(f"set local role {OPERATOR_ROLE}"))
