"""Which columns take the keys of some participants, for tests."""

from ingest.delivery import read_envelope
from ingest.log.event import Event
from projections.participants.discovery import Discovery
from projections.participants.fields import DECLARED, Fields
from tests import model


def columns_of(*participants: dict[str, object], fields: Fields = DECLARED) -> dict[str, list[str]]:
    seen = Discovery(fields)
    for number, participant in enumerate(participants):
        content = model.body(participant.pop("id", number), **participant)
        seen.add(Event("movemint", number, "", "event.participant.created", read_envelope(content).subject, content))
    return {key.path: key.columns for key in seen.keys} | {"(unmapped)": seen.unmapped}
