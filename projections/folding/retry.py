"""Folds parked events again, after the reason for parking them may be gone."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine

from ingest.log.read import read_after
from projections.folding import quarantine
from projections.folding.batch import apply
from projections.folding.projection import Projection
from projections.folding.quarantine import ParkedEvent, Wanted
from projections.folding.refold import lock_track, note, refold_in

_AT_A_TIME = 1_000  # parked events


def retry(
    engine: Engine, projections: Sequence[Projection], wanted: Wanted, limit: int, advance: Callable[[int], None]
) -> None:
    """Fold the participants of the wanted parked events again, each once, however many parked events it has.

    One transaction per participant, as the worker's role. `limit`: events in memory at a time. `advance` gets the
    number of parked events done each time. Raises `OfAnotherDefinition`.
    """
    by_name = {projection.name: projection for projection in projections}
    refolded: set[tuple[str, str, str | None]] = set()
    last: ParkedEvent | None = None
    while parked := _following(engine, wanted, last):
        for event in parked:
            participant = (event.projection, event.source, event.participant_id)
            if event.participant_id is None or participant not in refolded:
                refolded.add(participant)
                with engine.begin() as connection:
                    _retry(connection, by_name[event.projection], event, limit)
        advance(len(parked))
        last = parked[-1]


def _following(engine: Engine, wanted: Wanted, last: ParkedEvent | None) -> list[ParkedEvent]:
    with engine.connect() as connection:
        return quarantine.parked_events(connection, wanted, _AT_A_TIME, last)


def _retry(connection: Connection, projection: Projection, event: ParkedEvent, limit: int) -> None:
    track, last = lock_track(connection, projection, event.source)
    if event.participant_id is None:  # without a participant no other event has to be folded with it
        quarantine.release(connection, track, [event.position])
        apply(connection, track, read_after(connection, event.source, event.position - 1, 1))
    else:
        if projection.is_followed:
            note(connection, event.source, event.participant_id)
        refold_in(connection, track, event.participant_id, last, limit)
