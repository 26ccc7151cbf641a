"""Folds parked events again, after the reason for parking them may be gone."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Connection, Engine

from ingest.log.read import read_after
from projections.folding import quarantine
from projections.folding.batch import apply
from projections.folding.projection import Projection
from projections.folding.quarantine import ParkedEvent, Wanted
from projections.folding.refold import OfAnotherDefinition, lock_track, note, refold_in

_AT_A_TIME = 1_000  # parked events
_TRIED_AGAIN = Wanted(reason=quarantine.TRIED_AGAIN, is_dismissed=False)


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


class SlowRetries:
    """Work beside folding: tries again the events that failed by themselves, one a minute in turn.

    After one that succeeds the next is tried at once: what made them fail seems to be over.
    """

    def __init__(self, projections: Sequence[Projection], limit: int, every_seconds: float = 60.0) -> None:
        self._projections = projections
        self._limit = limit
        self._every = every_seconds
        self._last: ParkedEvent | None = None
        self._due = time.monotonic() + every_seconds

    def __call__(self, engine: Engine) -> bool:
        """Try the next one if it is time; gives whether it was folded."""
        if time.monotonic() < self._due:
            return False
        self._due = time.monotonic() + self._every
        with engine.connect() as connection:
            found = quarantine.parked_events(connection, _TRIED_AGAIN, 1, self._last)
        self._last = found[0] if found else None  # after the last one, the first one again
        is_folded = False
        for event in found:
            wanted = Wanted(event.source, event.position, _TRIED_AGAIN.reason)
            with suppress(OfAnotherDefinition):  # a rebuild folds it
                retry(engine, self._projections, wanted, self._limit, lambda _number: None)
                is_folded, self._due = True, time.monotonic()
        return is_folded


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
