"""Asks the API about one person: an address that answers 404 says that the source does not have them."""

import re

from projections.truth.absence import DirectAnswer
from projections.truth.api.client import ApiClient
from projections.truth.api.config import PARTICIPANT
from projections.truth.conclusion import NothingConcluded

_ABSENT = (404, 410)
_PRESENT = 200
_MOST_ASKED = 500  # people of one look, during which the snapshot that it compares with is kept
_PLAIN = re.compile(r"[A-Za-z0-9._~-]+")  # servers answer 404 to some other signs, whoever it is
_OTHER_PLACES = ("", ".", "..")  # which an address takes for another place than one below it


def direct_answers(client: ApiClient, template: str, listed_id: str) -> DirectAnswer:
    """What the addresses of persons answer. `listed_id`: somebody who is listed.

    An address that does not know somebody who is listed is a wrong one, or of no use: then nothing it says counts. It
    may become one meanwhile, so it is asked again for somebody who is listed after each absence. Of a look only the
    first 500 people are asked for: the others wait for another look.
    """
    is_right: bool | None = None
    asked = 0

    def is_absent(participant_id: str) -> bool | None:
        nonlocal is_right, asked
        asked += 1
        if asked > _MOST_ASKED:
            return None
        if is_right is None:
            is_right = _status(client, template, listed_id) == _PRESENT
        status = _status(client, template, participant_id) if is_right else None
        if status in _ABSENT:
            is_right = _status(client, template, listed_id) == _PRESENT
            return True if is_right else None
        return False if status == _PRESENT else None

    return is_absent


def _status(client: ApiClient, template: str, participant_id: str) -> int | None:
    """The status that an address answers with; None if there is no answer to use."""
    if participant_id in _OTHER_PLACES or not _PLAIN.fullmatch(participant_id):
        return None
    try:
        return client.get(template.replace(PARTICIPANT, participant_id)).status
    except NothingConcluded:
        return None
