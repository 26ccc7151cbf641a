"""Folds parked events again, after the reason for parking them may be gone."""

from collections.abc import Sequence

from sqlalchemy import Connection

from ingest.log.read import read_after
from projections.folding import quarantine
from projections.folding.batch import apply
from projections.folding.projection import Projection
from projections.folding.quarantine import ParkedEvent
from projections.folding.refold import hold, note, refold_in


class Retrying:
    """One pass over the quarantine. Each participant is folded again once, however many parked events it has."""

    def __init__(self, projections: Sequence[Projection], limit: int) -> None:
        self._projections = {projection.name: projection for projection in projections}
        self._limit = limit
        self._done: set[tuple[str, str, str]] = set()

    def is_done(self, entry: ParkedEvent) -> bool:
        """Whether this pass has folded the event's participant already."""
        return (entry.projection, entry.source, entry.participant_id) in self._done

    def retry(self, connection: Connection, entry: ParkedEvent) -> None:
        """Fold all events of a parked event's participant again, up to the projection's checkpoint.

        In the caller's transaction, as the worker's role. Raises `OfAnotherDefinition`.
        """
        track, last = hold(connection, self._projections[entry.projection], entry.source)
        if entry.participant_id is None:  # without a participant no other event has to be folded with it
            quarantine.release(connection, track, [entry.position])
            apply(connection, track, read_after(connection, entry.source, entry.position - 1, 1))
        elif not self.is_done(entry):
            self._done.add((entry.projection, entry.source, entry.participant_id))
            note(connection, entry.source, entry.participant_id)
            refold_in(connection, track, entry.participant_id, last, self._limit)
