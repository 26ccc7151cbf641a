"""The page of operations: what is wrong and what to do, what happened in each hour, and nothing of a participant."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import Engine

from ingest.log import erase
from ingest.log.hours import hours_of
from ingest.log.observation import Drift
from projections.folding.heartbeat import Heartbeat
from projections.folding.inner_completeness import note_inner
from projections.participants.newest_keys import MANY_HAVE
from projections.rebuild.steps import begin_build, noted, only_one
from projections.web.access import tokens
from tests import model
from tests.api_client import Api, running
from tests.browser_session import Browser, text_of
from tests.fold_all import PARTICIPANTS, drain, query
from tests.observing import compared

CANARIES = {
    "first_name": "canary-first", "last_name": "canary-last", "email": "canary@example.org", "phone": "canary-phone",
    "dob": "canary-day", "age": "canary-age", "team": "canary-team", "city": "canary-city", "odd": "canary-odd",
    "event_name": "canary-race", "status": "canary-status",
    "answers": [{"question": "canary-asks", "answer": "canary"}],
}  # fmt: skip

LATELY = "(just now|[0-9]+ seconds? ago)"


def canary(number: int, **fields: object) -> bytes:
    return model.body(f"canary-id-{number}", **{"event_id": "canary-event", **CANARIES, **fields})


@pytest.fixture
def api(database: str) -> Iterator[Api]:
    with running(database) as api:
        yield api


@pytest.fixture
def operations(api: Api, engine: Engine, worker_engine: Engine) -> Browser:
    """A browser of an operator, while a worker is seen."""
    Heartbeat().note(worker_engine, None)
    with engine.begin() as connection:
        token = tokens.create(connection, "op", tokens.NO_SOURCE, (), None)
    browser = Browser(api)
    browser.sign_in(token)
    return browser


def test_nothing_of_a_participant_is_on_the_page(
    database: str, operations: Browser, operator: Engine, worker_engine: Engine
) -> None:
    bodies = [canary(number, **({"canary-key": 1} if number == 3 else {})) for number in range(MANY_HAVE + 1)]
    model.append(database, [*bodies, bodies[0], b"canary no json", canary(1, status="canary-status-2")])
    drain(worker_engine)
    with operator.begin() as connection:
        erase.erase(connection, "movemint", "canary-id-2", "canary-operator", "canary-reason")
    model.append(database, [canary(2, bib="canary-bib")])
    drain(worker_engine)
    page = operations.open("/operations")
    assert page.status_code == 200
    for shown in ("parked", "odd 10", "and 1 that few have", "age 10", "date of birth 10", "1 erased participant was"):
        assert shown in text_of(page)
    for cause in ("erase --list", "quarantine dismiss 12 --source movemint"):
        assert cause in text_of(page)
    assert "canary" not in page.text


def deliver_over_hours(database: str, now: datetime, hour: datetime) -> None:
    """Deliveries of thirty hours ago, two hours ago and now; refused ones of now, three hours and two days ago."""
    bodies = [model.body(number) for number in range(5)]
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("alter table event_log disable trigger all")
        for begins, of_hour in ((hour - timedelta(hours=30), bodies[:1]), (hour - timedelta(hours=2), bodies[1:4])):
            model.append(database, of_hour)
            admin.execute(
                "update event_log set received_at = %s where received_at > %s",
                (begins + timedelta(minutes=1), now - timedelta(minutes=5)),
            )
        model.append(database, [*bodies[4:], *bodies[:3], bodies[0]])
        model.append_own(admin, model.own_body(1, 1))  # no delivery
        refused = "select count_refused('movemint', %s, %s, %s, %s)"
        earlier = hour - timedelta(hours=3)
        admin.execute(refused, ("signature_wrong", earlier, 7, earlier + timedelta(minutes=1)))
        admin.execute(refused, ("too_large", earlier - timedelta(hours=40), 9, earlier - timedelta(hours=40)))
        admin.execute("select count_refused('', 'unknown_source', %s, 2, %s)", (now, now))


def test_each_hour_has_what_was_stored_came_again_and_was_refused(
    database: str, operations: Browser, engine: Engine
) -> None:
    now = datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    deliver_over_hours(database, now, hour)
    with engine.connect() as connection:
        found = hours_of(connection, ["movemint", ""])
    if datetime.now(UTC).hour != now.hour:
        pytest.skip("the hour has ended meanwhile")
    assert [each.begins for each in found["movemint"]] == [hour - timedelta(hours=ago) for ago in reversed(range(24))]
    numbers = [(each.begins, (each.stored, each.redelivered, dict(each.refused))) for each in found["movemint"]]
    assert {begins: what for begins, what in numbers if what != (0, 0, {})} == {
        hour - timedelta(hours=3): (0, 0, {"signature_wrong": 7}),
        hour - timedelta(hours=2): (3, 0, {}),
        hour: (1, 4, {}),
    }
    page = operations.open("/operations")
    for shown in ("4 stored", "4 delivered again", "7 refused", "Unknown sources: the last 24 hours", "2 refused"):
        assert shown in text_of(page)
    [chart, of_unknown] = re.findall(r'<svg class="hours".*?</svg>', page.text, re.DOTALL)
    assert [kind for kind in re.findall(r'class="(\w+)" x', chart) if kind != "none"] == [
        "refused", "stored", "stored", "again",
    ]  # fmt: skip
    assert chart.count("<rect") == 25, "a bar per hour, one of two parts"
    assert of_unknown.count('"refused"') == 1


def test_hours_of_redeliveries_are_forgotten_after_a_year(database: str) -> None:
    [position, *_] = model.append(database, [model.body(1)] * 7)
    assert position == (1, True)
    query(database, "update redelivery_hour set hour = hour - interval '500 days' returning 1")
    model.append(database, [model.body(1)])
    assert query(database, "select count from redelivery_hour") == [(1,)]
    assert query(database, "select redeliveries from event_redelivery") == [(7,)]


def test_what_is_wrong_and_what_may_be_wrong_are_sentences(
    database: str, operations: Browser, operator: Engine, worker_engine: Engine
) -> None:
    assert "Connect Movemint" in text_of(operations.open("/operations")), "there is nothing yet"
    model.append(database, [model.body(1), model.body(2)])
    drain(worker_engine)
    page = text_of(operations.open("/operations"))
    assert re.search(f"Everything is up to date; last delivery {LATELY}", page)
    assert "Connect Movemint" not in page
    with operator.begin() as connection:
        erase.erase(connection, "movemint", "1", "o", "r")
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("alter table event_log disable trigger all")
        admin.execute("update event_log set received_at = received_at - interval '3 days'")
        admin.execute("update event_log set body = %s where position = 1", (model.body(1),))
        admin.execute("select count_refused('other', 'signature_missing', now(), 3, now())")
        admin.execute("select count_refused('', 'unknown_source', now(), 1, now())")
    page = text_of(operations.open("/operations"))
    assert "2 things need you" in page
    for said in (
        "movemint: 1 erasure names a body that the log has again, as after the restore of a backup: rosterlog erase",
        "other: 3 of 3 deliveries in the last hour were refused, without a signature since",
        "movemint: the last delivery came 3 d ago: is no race open, or has Movemint's subscription ended?",
        "1 delivery came in the last hour for a source that nobody knows",
    ):
        assert said in page, said


def test_how_each_source_was_compared_last_is_shown(
    database: str, operations: Browser, operator: Engine, worker_engine: Engine
) -> None:
    model.append(database, [model.body(1)])
    drain(worker_engine)
    page = text_of(operations.open("/operations"))
    assert "movemint: compared with its source never movemint: compared with its own log never" in page
    compared(operator, ("501",), Drift(missing=1_234), 1, agrees=False)
    note_inner(worker_engine, [("movemint", 4_711, 20, 0)])
    page = text_of(operations.open("/operations"))
    assert "movemint: 1,234 missing of event 501, as the source listed them: rosterlog reconcile" in page
    was = "as it was on 3 May 2026, 23:30 , at position 1, event 501: 1,234 missing"
    assert re.search(f"movemint: compared with its source {LATELY} , {was}", page)
    assert re.search(f"movemint: compared with its own log {LATELY} : complete at position 4,711", page)


def test_a_rebuild_under_way_and_workers_are_shown(database: str, operations: Browser, worker_engine: Engine) -> None:
    model.append(database, [model.body(1)])
    drain(worker_engine)
    query(
        database,
        "insert into worker_seen (worker, host, pid, version, working_on) "
        "values ('a', 'alpha', 11, '1', 'participants of movemint'), ('b', 'beta', 12, '1', null) returning 1",
    )
    with only_one(worker_engine, "participants"):
        assert "a rebuild is under way" in text_of(operations.open("/operations"))
        noted(worker_engine, begin_build(worker_engine, PARTICIPANTS), 400, lambda _number: None)(100)
        page = text_of(operations.open("/operations"))
    assert re.search(f"participants build 1 is live a rebuild is under way: 25 % of 400 events, {LATELY}", page)
    assert re.search(f"worker on alpha, process 11 seen {LATELY} , folded participants of movemint", page)
    assert re.search(f"worker on beta, process 12 seen {LATELY} , had nothing to fold", page)
    assert "under way" not in text_of(operations.open("/operations")), "it was killed"


def test_one_source_of_many_is_chosen(database: str, operations: Browser) -> None:
    for number in range(12):
        model.append(database, [model.body(number)], f"source-{number:02}")
    page = operations.open("/operations")
    assert page.text.count('<svg class="hours"') == 8
    assert "source-11" in text_of(page)
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("alter table event_log disable trigger all")
        admin.execute("update event_log set received_at = received_at - interval '3 days'")
    assert "from 12 sources no delivery came for a day, source-00, source-01" in text_of(operations.open("/operations"))
    page = operations.open("/operations?source=source-03")
    assert page.text.count('<svg class="hours"') == 1
    assert re.findall(r'data-column="source">([^<]*)', page.text) == ["source-03"]
    assert "<option selected>source-03" in page.text
    assert "No source is called nobody&#39;s" in operations.open("/operations?source=nobody's").text
    assert operations.open("/operations?source=%00").status_code == 404, "PostgreSQL knows no such text"
    assert operations.open("/operations?source=").text.count('<svg class="hours"') == 8
