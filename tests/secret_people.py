"""People with secrets on the roster, for tests of the schema `reporting`."""

from typing import Any

import psycopg

from ingest.database import WORKER_ROLE, sync_engine
from tests import model
from tests.fold_all import drain

VIEWS = [
    "calendar", "deliveries", "events", "freshness", "participant_answers", "participant_history", "participants",
    "reconciliations", "registrations_daily", "sub_events",
]  # fmt: skip
# Each is found again wherever it is shown.
SECRETS = {
    "email": "canary-mail@example.org", "phone": "canary-phone", "dob": "1987-11-23", "city": "canary-city",
    "zip_code": "canary-zip", "allergies": "canary-attribute",
    "answers": [{"question": "Shirt size", "answer": "M"}, {"question": "Anything else?", "answer": "canary-answer"}],
}  # fmt: skip
SEEN = {
    "first_name": "Anna",
    "last_name": "Cruz",
    "state": "OR",
    "country": "US",
    "team": "Owls",
    "bib": "12",
    "age": 97,
}


def somebody(id_: int, **fields: object) -> bytes:
    return model.body(id_, **{**SECRETS, **SEEN, "event_id": 5, "created_at": "2026-03-02T08:00:00Z", **fields})


def fill(conninfo: str) -> str:
    """Twelve people who wear M and have one coach, one who has told secrets; two of them changed since."""
    answers = [
        {"question": "Shirt size", "answer": "M"},
        {"question": "In an emergency", "answer": "canary 0170-555 12"},
    ]
    bodies = [somebody(1), *(somebody(number, answers=answers) for number in range(2, 13))]
    model.append(conninfo, [*bodies, somebody(1, bib="13"), b"no json", somebody(2, status="deferred")])
    worker = sync_engine(conninfo, WORKER_ROLE)
    drain(worker)
    worker.dispose()
    return conninfo


def take(connection: psycopg.Connection[Any], role: str) -> None:
    connection.execute("reset role")
    connection.execute(f"set role {role}".encode())
