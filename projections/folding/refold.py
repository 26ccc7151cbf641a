"""Folds the events of one participant again, those that a projection's live build has passed already."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from ingest.failures import Problem
from ingest.log.read import read_subject
from projections.folding import batch, builds, checkpoint, quarantine
from projections.folding.builds import Build
from projections.folding.projection import Projection

ROSTER = "participants"  # the projection that is followed


class OfAnotherDefinition(Problem):
    """A projection's live build was folded by another definition than this program's."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} was folded by another definition: run rosterlog rebuild {name} first, or bring back that "
            "definition; nothing was changed"
        )


Held = list[tuple[Projection, Build, int]]


def hold(connection: Connection, projections: Sequence[Projection], source: str) -> Held:
    """Keep every worker from folding this source until the transaction ends; gives the last position folded of each.

    Raises `OfAnotherDefinition`: what was folded again by this definition would not be the live build's.
    """
    held: Held = []
    checkpoint.join(connection)
    for projection in projections:
        build = builds.open_first(connection, projection.name, projection.version)
        if build.version != projection.version:
            raise OfAnotherDefinition(projection.name)
        held.append((projection, build, checkpoint.wait_for(connection, build, source)))
    return held


def refold(connection: Connection, held: Held, source: str, participant_id: str, limit: int) -> None:
    """Bring a participant's rows to what their events say, up to where `hold` said that each projection is.

    In the caller's transaction, as the worker's role. `limit`: events in memory at a time.
    """
    note(connection, source, participant_id)
    for projection, build, last in held:
        refold_in(connection, projection, build, source, participant_id, last, limit)


def note(connection: Connection, source: str, participant_id: str) -> None:
    """Tell whoever follows the roster that a participant's rows change without a new event. Call it before they do."""
    connection.execute(text("select note_roster_change(:source, :id)"), {"source": source, "id": participant_id})


def refold_in(
    connection: Connection,
    projection: Projection,
    build: Build,
    source: str,
    participant_id: str,
    last: int,
    limit: int,
) -> None:
    """The same in one build, whose checkpoint of the source the caller holds at `last`."""
    for table in builds.tables(connection, projection.name):
        if "participant_id" in projection.columns[table]:
            theirs = f"delete from {build.table(table)} where source = :source and participant_id = :id"  # noqa: S608
            connection.execute(text(theirs), {"source": source, "id": participant_id})
    quarantine.release_participant(connection, build, source, participant_id)
    position = 0
    while events := read_subject(connection, source, participant_id, position, last, limit):
        batch.apply(connection, projection, build, source, events)
        position = events[-1].position
