"""Refolds: folds one participant's events again, up to the position that a build has reached."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from ingest.failures import Failure
from ingest.log.read import read_subject
from projections.folding import batch, builds, checkpoint, quarantine
from projections.folding.projection import Projection, Track


class OfAnotherDefinition(Failure):
    """A projection's live build was folded by another definition than this program's."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} was folded by another definition: run rosterlog rebuild {name} first, or bring back that "
            "definition; nothing was changed"
        )


LockedTrack = tuple[Track, int]  # a track whose checkpoint is locked, and the checkpoint's position


def lock_track(connection: Connection, projection: Projection, source: str) -> LockedTrack:
    """Lock the live build's checkpoint of a source until the transaction ends, so that no worker folds the source.

    Raises `OfAnotherDefinition`: one build must not have rows of two definitions.
    """
    build = builds.open_for(connection, projection)
    if build is None:
        raise OfAnotherDefinition(projection.name)
    track = Track(projection, build, source)
    return track, checkpoint.lock(connection, track)


def refold(connection: Connection, held: Sequence[LockedTrack], source: str, participant_id: str, limit: int) -> None:
    """Fold a participant's events again in every held track, up to the track's position.

    In the caller's transaction, as the worker's role. `limit`: events in memory at a time.
    """
    note(connection, source, participant_id)
    for track, last in held:
        refold_in(connection, track, participant_id, last, limit)


def note(connection: Connection, source: str, participant_id: str) -> None:
    """Tell followers of the roster that a participant's rows change without a new event. Call it before the change."""
    connection.execute(text("select note_roster_change(:source, :id)"), {"source": source, "id": participant_id})


def refold_in(connection: Connection, track: Track, participant_id: str, last: int, limit: int) -> None:
    """Fold a participant's events again in one track, whose checkpoint the caller has locked at position `last`."""
    for table, columns in track.projection.columns.items():
        if "participant_id" in columns:
            delete = f"delete from {track.build.table(table)} where source = :source and participant_id = :id"  # noqa: S608
            connection.execute(text(delete), {"source": track.source, "id": participant_id})
    quarantine.release_participant(connection, track, participant_id)
    position = 0
    while events := read_subject(connection, track.source, participant_id, position, last, limit):
        batch.apply(connection, track, events)
        position = events[-1].position
