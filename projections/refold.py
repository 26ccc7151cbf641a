"""Folds the events of one participant again, those that their projection has passed already."""

from sqlalchemy import Connection

from ingest.log.read import read_subject
from projections import checkpoint
from projections.participants import rows


def refold(connection: Connection, source: str, participant_id: str, limit: int) -> None:
    """Bring a participant's row to what their events up to the checkpoint say, in the caller's transaction.

    The checkpoint is held until that ends, so that no worker folds in between. `limit`: events in memory at a time.
    """
    last = checkpoint.wait_for(connection, rows.NAME, source)
    position = 0
    while events := read_subject(connection, source, participant_id, position, last, limit):
        rows.apply(connection, source, events)
        position = events[-1].position
