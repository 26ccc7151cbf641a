"""Every example of docs/truth.md is run, over the people of the documents."""

from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from ingest.simulator.list_server import CLIENT_SECRET, ListManner, served_list
from tests import model
from tests.doc_examples import DELIVERIES, DOCS, check, examples, programs
from tests.fold_all import drain
from tests.program import environ

pytestmark = pytest.mark.acceptance

FILES = {
    "participants.csv": (
        "ID;First name;Last name;Bib;Status;Registered at\n"
        "101;Anna;Cruz;112;refunded;2026-03-02T08:00:00Z\n"
        "102;Łukasz;Nowak;9;active;2026-03-02T09:30:00Z\n"
        "104;Ivo;Petrov;;active;2026-03-04T12:00:00Z\n"
    ),
    "api.toml": """\
url = "{url}/events/{event_id}/participants"
items = "data"
total = "meta.total"

[pages]
style = "cursor"
parameter = "cursor"
next = "meta.next_cursor"

[columns]
"id" = "participant_id"
"first_name" = "first_name"
"bib" = "bib"
"status" = "status"
"created_at" = "registered_at"

[oauth]
token_url = "{url}/oauth/token"
client_id = "simulated"
client_secret_env = "ROSTERLOG_API_CLIENT_SECRET"
""",
    "fewer.csv": "ID,Status\n101,refunded\n104,active\n",
    "named.csv": "Reg. no.,First name,Shirt\n101,Anna,M\n102,Lukasz,S\n",
}
LISTED: list[dict[str, object]] = [
    {"id": 101, "first_name": "Anna", "bib": "112", "status": "refunded", "created_at": "2026-03-02T08:00:00Z"},
    {"id": 102, "first_name": "Łukasz", "bib": "9", "status": "active", "created_at": "2026-03-02T09:30:00Z"},
    {"id": 104, "first_name": "Ivo", "bib": None, "status": "active", "created_at": "2026-03-04T12:00:00Z"},
]


def test_every_example_answers_what_is_written(database: str, worker_engine: Engine, tmp_path: Path) -> None:
    model.append(database, DELIVERIES)
    arrived_in_april(database)
    drain(worker_engine)
    settings = {"DATABASE_URL": database, "ROSTERLOG_API_CLIENT_SECRET": CLIENT_SECRET}
    env = environ(**settings, PYTHONPATH=str(DOCS.parent), PATH=programs(tmp_path))
    documented = examples("truth.md")
    assert len(documented) >= 10
    with served_list([{**each, "event_id": 501} for each in LISTED], ListManner(size=2)) as server:
        for name, content in FILES.items():
            (tmp_path / name).write_text(content.replace("{url}", server.url), encoding="utf-8")
        for command, answer in documented:
            check(command, answer, env, tmp_path)
            drain(worker_engine)


def arrived_in_april(database: str) -> None:
    """Let the deliveries have come before the files of the examples were taken, also for the chain."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("update event_log set received_at = '2026-04-01T12:00:00Z'")
        for position, chain in enumerate(model.chains(database), 1):
            connection.execute("update event_log set chain = %s where position = %s", [chain, position])
