"""One event folded, for tests."""

from ingest.delivery import read_envelope
from ingest.log.event import Event
from projections.participants.fields import DECLARED
from projections.participants.fold import folding
from projections.participants.state import State
from tests import model

fold = folding(DECLARED)


def event(body: bytes | None, position: int = 1) -> Event:
    envelope = read_envelope(body or b"")
    return Event("movemint", position, "2026-05-01T00:00:00Z", envelope.event_type, envelope.subject, body)


def state(**fields: object) -> State:
    folded = fold(event(model.body(1, **fields)))
    assert isinstance(folded, State)
    return folded
