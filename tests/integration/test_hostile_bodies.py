"""Whatever is signed is stored once, folded, parked or passed, and every door stays open: no error, no traceback."""

import csv
import io
import json
from collections.abc import Iterator
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import Engine

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from ingest.delivery import read_envelope
from ingest.log.event import Event
from projections.participants.discovery import Discovery
from projections.participants.fields import DECLARED
from projections.rebuild.drop import drop
from projections.reports.report import reports
from tests import hostile_model, model
from tests.api_client import Api, make_token, running
from tests.conftest import create
from tests.fold_all import PROJECTIONS, build_anew, contents, drain, live, query
from tests.hostile import TEXTS, hostile_bodies
from tests.program import deliver, environ, free_port, run, status_json, status_of, until
from tests.program import running as serving

BODIES = [hostile.body for hostile in hostile_bodies()]
AT_A_TIME = 100
ORDERS = [
    f"{sign}{name}"
    for name in ("last_name", "first_name", "email", "bib", "registered_at", "position")
    for sign in ("", "-")
]


@pytest.fixture(scope="module")
def hostile(server: postgres.Server, template: str) -> str:
    """A database with every hostile body stored and folded."""
    database = create(server, template)
    with psycopg.connect(database, autocommit=True) as connection:
        for begin in range(0, len(BODIES), AT_A_TIME):
            receipts = model.append_on(connection, BODIES[begin : begin + AT_A_TIME])
            assert receipts == [(begin + place, True) for place in range(1, len(receipts) + 1)]
        again = model.append_on(connection, BODIES[:AT_A_TIME])
        assert again == [(place, False) for place in range(1, AT_A_TIME + 1)]
    engine = sync_engine(database, WORKER_ROLE)
    assert drain(engine, limit=97) == len(BODIES)
    engine.dispose()
    return database


@pytest.fixture(scope="module")
def worker(hostile: str) -> Iterator[Engine]:
    engine = sync_engine(hostile, WORKER_ROLE)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def api(hostile: str) -> Iterator[Api]:
    with running(hostile) as api:
        yield api


@pytest.fixture(scope="module")
def token(hostile: str) -> str:
    engine = sync_engine(hostile)
    token = make_token(engine)
    engine.dispose()
    return token


def test_each_is_answered_over_http_with_its_position(database: str) -> None:
    env = environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())
    with serving("ingest", "--port", str(port := free_port()), env=env):
        until(lambda: status_of(port, "/healthz") == 200)
        for status in ("stored", "duplicate"):
            for position, body in enumerate(BODIES[::25], 1):
                assert deliver(port, body) == (200, {"status": status, "source": "movemint", "position": position})


def test_there_are_a_thousand_bodies_and_each_is_kept_as_it_is(hostile: str) -> None:
    assert len(BODIES) > 1_000
    assert model.stored_bodies(hostile) == BODIES
    assert model.chains(hostile) == [row[0] for row in query(hostile, "select chain from event_log order by position")]


def test_each_is_on_the_roster_parked_or_passed_as_the_model_says(hostile: str) -> None:
    expected = hostile_model.roster(BODIES)
    rows = query(hostile, "select participant_id, first_position, position, first_name, attributes from participants")
    assert {row[0]: row[1:4] for row in rows} == {
        id_: (person.first_position, person.position, hostile_model.first_name(person.seen))
        for id_, person in expected.people.items()
    }
    parked = query(hostile, "select position from quarantine where projection = 'participants'")
    assert {row[0] for row in parked} == expected.parked
    passed = query(hostile, "select event_type, events from unknown_event_type where projection = 'participants'")
    assert dict(passed) == expected.passed
    history = query(hostile, "select participant_id, position, until_position from participant_history")
    assert set(history) == expected.history()
    for id_, _, position, _, attributes in rows:
        sent = hostile_model.stored(hostile_model.shallow(expected.people[id_].seen))
        kept = hostile_model.stored(attributes)
        assert kept == {key: sent[key] for key in kept}
        if hostile_model.is_read_whole(BODIES[position - 1]):
            assert kept == sent


def test_a_rebuild_gives_the_rows_of_the_live_fold(hostile: str, worker: Engine) -> None:
    for projection in PROJECTIONS:
        folded = contents(hostile, projection, live(worker, projection))
        anew = build_anew(worker, projection, 2)
        assert contents(hostile, projection, anew) == folded
        assert drop(worker, anew)


def has_address(id_: str) -> bool:
    """Whether an id can stand in a path today: clients resolve dots, and the router splits at line feeds and words."""
    return "\n" not in id_ and id_ not in (".", "..") and not id_.endswith("/history")


def test_every_participant_is_listed_and_shown_with_a_history(hostile: str, api: Api, token: str) -> None:
    listed = api.listed("/v1/participants", token, limit=200)
    ids = [row["participant_id"] for row in listed]
    assert sorted(ids) == [row[0] for row in query(hostile, "select participant_id from participants order by 1")]
    odd = [row for row in listed if not row["participant_id"].isdigit()]
    assert len(odd) > 40
    for row in [row for row in listed[::20] + odd if has_address(row["participant_id"])]:
        path = f"/v1/participants/{quote(row['participant_id'], safe='')}"
        shown, past = api.ask(path, token), api.ask(f"{path}/history", token)
        assert (shown.status_code, past.status_code) == (200, 200), path
        assert {**shown.json(), "answers": None} == {**row, "answers": None}
        assert past.json()["data"], path


def test_every_order_filter_and_search_answers(api: Api, token: str) -> None:
    for sort in ORDERS:
        answer = api.ask("/v1/participants", token, sort=sort, limit=200)
        assert answer.status_code == 200, (sort, answer.text)
    listed = api.listed("/v1/participants", token, limit=200)
    for row in listed[::7]:
        asked = {name: row[name] for name in ("first_name", "event_id", "status", "bib", "dob") if row[name]}
        found = api.ask("/v1/participants", token, participant_id=row["participant_id"], **asked)
        assert found.status_code == 200, (asked, found.text)
        assert found.json()["data"] == [row], asked
    for text in TEXTS:
        answer = api.ask("/v1/participants", token, q=text, limit=1)
        assert answer.status_code in (200, 400), (text, answer.text)


def test_every_other_door_of_the_api_answers(hostile: str, api: Api, token: str) -> None:
    assert api.listed("/v1/participants", token, limit=200, as_of=len(BODIES) // 2)
    for path in ("/v1/changes", "/v1/events"):
        assert api.listed(path, token, limit=100), path
    assert api.ask("/v1/status", token).status_code == 200
    for (event_id,) in query(hostile, "select distinct event_id from participants where event_id is not null"):
        if has_address(event_id):
            assert api.ask(f"/v1/events/{quote(event_id, safe='')}", token).status_code == 200, event_id


def test_every_export_has_every_participant(hostile: str, api: Api, token: str) -> None:
    [(count,)] = query(hostile, "select count(*) from participants")
    answers = {name: api.ask(f"/v1/participants.{name}", token) for name in ("csv", "ndjson", "parquet", "xlsx")}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 200)
    csv.field_size_limit(2**31 - 1)
    assert len(list(csv.reader(io.StringIO(answers["csv"].text, newline="")))) == count + 1
    assert len([json.loads(line) for line in answers["ndjson"].content.split(b"\n") if line]) == count
    assert answers["parquet"].content[:4] == answers["parquet"].content[-4:] == b"PAR1"
    assert answers["xlsx"].content[:2] == b"PK"


def test_every_command_answers(hostile: str) -> None:
    env = environ(DATABASE_URL=hostile, MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())
    for number, name in enumerate(reports()):
        assert "Traceback" not in run("report", name, "--format", ("table", "csv", "json")[number % 3], env=env)
    assert "keys" in json.loads(run("fields", "--json", env=env).splitlines()[-1])
    run("fields", env=env)
    run("log", "list", env=env)
    for position in range(1, len(BODIES), 400):
        assert "Traceback" not in run("log", "show", str(position), env=env)
    assert status_json(env)["sources"]
    assert "parked events" in run("status", env=env, code=1)
    run("quarantine", "list", env=env)
    assert json.loads(run("verify", "--json", env=env).splitlines()[-1])["ok"] is True


def test_discovery_is_total() -> None:
    discovery = Discovery(DECLARED)
    for position, body in enumerate(BODIES, 1):
        envelope = read_envelope(body)
        discovery.add(Event("movemint", position, "2026-05-01", envelope.event_type, envelope.subject, body))
    assert discovery.events + discovery.unread + discovery.other_types.total() == len(BODIES)
