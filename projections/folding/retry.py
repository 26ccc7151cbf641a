"""Folds parked events again, once the fold can be hoped to take them."""

from collections.abc import Sequence

from sqlalchemy import Connection

from ingest.log.read import read_after
from projections.folding import builds, checkpoint, quarantine
from projections.folding.batch import apply
from projections.folding.projection import Projection
from projections.folding.quarantine import Entry
from projections.folding.refold import ROSTER, OfAnotherDefinition, note, refold_in


class Retrying:
    """One round over what is parked. A participant is folded again once, however many of their events are."""

    def __init__(self, projections: Sequence[Projection], limit: int) -> None:
        self._projections = {one.name: one for one in projections}
        self._limit = limit
        self._done: set[tuple[str, str, str]] = set()

    def is_done(self, entry: Entry) -> bool:
        """Whether this round has folded the event's participant already."""
        return (entry.projection, entry.source, entry.participant_id) in self._done

    def retry(self, connection: Connection, entry: Entry) -> None:
        """Fold the participant of a parked event again, from their first event to where the projection is.

        In the caller's transaction, as the worker's role. Raises `OfAnotherDefinition`.
        """
        checkpoint.join(connection)
        projection = self._projections[entry.projection]
        build = builds.open_first(connection, projection.name, projection.version)
        if build.version != projection.version:
            raise OfAnotherDefinition(projection.name)
        last = checkpoint.wait_for(connection, build, entry.source)
        if entry.participant_id is None:  # nobody's, so that nothing comes before or after it
            quarantine.release(connection, build, entry.source, [entry.position])
            apply(
                connection, projection, build, entry.source, read_after(connection, entry.source, entry.position - 1, 1)
            )
            return
        if not self.is_done(entry):
            self._done.add((entry.projection, entry.source, entry.participant_id))
            if entry.projection == ROSTER:
                note(connection, entry.source, entry.participant_id)
            refold_in(connection, projection, build, entry.source, entry.participant_id, last, self._limit)
