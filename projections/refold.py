"""Folds the events of one participant again, those that their projection has passed already."""

from sqlalchemy import Connection

from ingest.log.read import read_subject
from projections import checkpoint
from projections.participants import rows


def hold(connection: Connection, source: str) -> int:
    """Keep every worker from folding this source until the transaction ends; gives the last position folded."""
    return checkpoint.wait_for(connection, rows.NAME, source)


def refold(connection: Connection, source: str, participant_id: str, last: int, limit: int) -> None:
    """Bring a participant's row to what their events up to `last` say, where `hold` said that the projection is.

    In the caller's transaction, as the worker's role. `limit`: events in memory at a time.
    """
    position = 0
    while events := read_subject(connection, source, participant_id, position, last, limit):
        rows.apply(connection, source, events)
        position = events[-1].position
