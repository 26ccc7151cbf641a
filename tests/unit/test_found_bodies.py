"""Bodies that fuzzing found to take different ways through the fold; each once more, with what must hold for any body.

`found_bodies.txt` has one body per line, as Base64.
"""

import base64
import json

import pytest
from pydantic_core import to_json

from ingest.delivery import LONGEST_NAME, read_envelope
from ingest.log.event import Event
from projections.folding.outcome import Parked, Passed
from projections.participants import fold as participants
from projections.participants.bounds import LONGEST_ANSWER, LONGEST_TEXT, MOST_ANSWERS
from projections.participants.fields import COLUMN_NAMES, DECLARED
from projections.participants.state import State
from projections.registrations import fold as registrations
from tests import ROOT

LINES = (ROOT / "tests" / "unit" / "found_bodies.txt").read_text().splitlines()
PADDING = b'{"padding":"%b",' % (b"x" * 300_000)
fold, count = participants.folding(DECLARED), registrations.folding(DECLARED)
count_by_roster = registrations.folding(DECLARED, fold)


@pytest.mark.parametrize("line", LINES)
def test_a_found_body_gives_an_outcome_that_can_be_stored(line: str) -> None:
    body = base64.b64decode(line)
    envelope = read_envelope(body)
    for name in (envelope.event_type, envelope.subject):
        assert name is None or 0 < len(storable(name)) <= LONGEST_NAME
    assert (envelope.participant is None) == (envelope.problem is not None)
    event = Event("movemint", 1, "2026-05-01", envelope.event_type, envelope.subject, body)
    folded, registration = fold(event), count(event)
    assert registration == count_by_roster(event), "which reads all columns"
    if isinstance(folded, State):
        check(folded, body)
        assert isinstance(registration, registrations.Registration)
        assert registration.participant_id == folded.participant_id
    else:
        assert isinstance(folded, Parked | Passed)
        assert registration == Passed(1, None)


@pytest.mark.parametrize("line", LINES)
def test_a_found_body_is_read_in_part_as_it_is_read_whole(line: str) -> None:
    body = base64.b64decode(line)
    # NaN is no JSON: of a body that is read in part, nothing is salvaged then.
    if not body.startswith(b'{"') or not is_utf8(body) or b"NaN" in body or b"Infinity" in body:
        return
    whole, part = read_envelope(body), read_envelope(PADDING + body[1:])
    assert (part.event_type, part.subject, part.problem is None) == (
        whole.event_type, whole.subject, whole.problem is None,
    )  # fmt: skip
    assert to_json(part.participant) == to_json(whole.participant)


def check(state: State, body: bytes) -> None:
    assert len(state.values) == len(COLUMN_NAMES)
    assert all(len(storable(value)) <= LONGEST_TEXT for value in state.values)
    assert len(state.answers) <= MOST_ANSWERS
    for answer in state.answers:
        assert 0 < len(storable(answer.question)) <= LONGEST_TEXT
        assert len(storable(answer.answer)) <= LONGEST_ANSWER
    if state.attributes is None:
        assert b"\\u0000" not in body
        assert json.loads(body)["type"] == participants.REGISTERED
    else:
        assert b"\\u0000" not in to_json(state.attributes)


def storable(text: str) -> str:
    assert "\0" not in text
    text.encode()
    return text


def is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except ValueError:
        return False
    return True
