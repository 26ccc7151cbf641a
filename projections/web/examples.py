"""An example of each answer, for the OpenAPI document, all with the same made-up participant."""

from typing import Any

_PARTICIPANT: dict[str, Any] = {
    "participant_id": "7000012",
    "event_id": "501",
    "event_name": "Harbour Lights Marathon",
    "sub_event_id": "9011",
    "sub_event_name": "Marathon",
    "athlete_id": "300412",
    "status": "active",
    "first_name": "Zoë",
    "last_name": "Lindqvist",
    "email": "zoe@example.org",
    "phone": "+15550100",
    "bib": "112",
    "gender": "female",
    "dob": "1990-05-06",
    "age": None,
    "team": "Night Owls",
    "wave": None,
    "city": "Leeds",
    "state": None,
    "country": "GB",
    "zip_code": "LS1 4AP",
    "checked_in_at": None,
    "registered_at": "2026-03-02T08:00:00Z",
    "updated_at": "2026-04-01T12:00:00Z",
    "first_position": 12,
    "position": 1041,
    "received_at": "2026-04-01T12:00:01.250000Z",
    "origin": "delivery",
    "unlisted_at": None,
    "field_errors": {"age": "not a whole number"},
    "attributes": {"id": 7000012, "event_id": 501, "bib": "112", "age": "thirty-five"},
}
_ANSWERS: list[dict[str, Any]] = [{"question_id": "41", "question": "Shirt size", "answer": "M"}]
_FORM: dict[str, Any] = {
    "event_id": "501",
    "questions": [{"question_id": "41", "question": "Shirt size", "asked": 1, "answered": 1}],
}
_EVENT: dict[str, Any] = {
    "event_id": "501",
    "event_name": "Harbour Lights Marathon",
    "time_zone": "Europe/London",
    "starts_on": "2026-06-20",
    "previous_event_id": "431",
    "participants": 1,
    "statuses": [{"status": "active", "participants": 1}],
    "sub_events": [{"sub_event_id": "9011", "sub_event_name": "Marathon", "participants": 1}],
    "genders": [{"gender": "female", "participants": 1}],
    "days": [{"day": "2026-03-02", "participants": 1}],
}
_STATE: dict[str, Any] = {
    "position": 1041,
    "until_position": None,
    "received_at": "2026-04-01T12:00:01.250000Z",
    "changed": {"bib": {"from": None, "to": "112"}},
    "participant": _PARTICIPANT,
}
_CHANGE: dict[str, Any] = {
    "position": 1041,
    "change": "upserted",
    "participant_id": "7000012",
    "participant": _PARTICIPANT,
}
_SOURCE_STATUS: dict[str, Any] = {
    "source": "movemint",
    "head": 1041,
    "checkpoints": {"participants": 1041, "registrations": 1041},
    "lag": 0,
    "quarantined": 0,
}
_PAGE: dict[str, Any] = {"next": None, "position": 1041}

EXAMPLES: dict[str, dict[str, Any]] = {
    "Participant": {**_PARTICIPANT, "answers": _ANSWERS},
    "Participants": {"data": [_PARTICIPANT], **_PAGE, "count": 1},
    "ChangesFound": {"data": [_CHANGE], **_PAGE, "after": "1041.3.1041-1041.3-2c624232cdd22177"},
    "History": {"data": [_STATE], **_PAGE},
    "EventCounts": _EVENT,
    "Events": {"data": [_EVENT], **_PAGE},
    "Questions": {"data": [_FORM], **_PAGE},
    "Status": {"sources": [_SOURCE_STATUS]},
    "Problem": {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "age takes a whole number.",
        "request_id": "5c1f0a9be2d34c77",
        "parameter": "age",
    },
}
