"""Many sources: what metrics, status, page and doctor say of them is bounded, and names the worst."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, event, text

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from ingest.log.figures import bounded_log_readings, log_readings
from ingest.log.named_sources import EVERY_SOURCE, NamedSources, named_sources, troubles_of_log
from ingest.log.read import heads
from ingest.metrics import METRICS, MOST_NAMED_SOURCES, OTHER_SOURCES, Labels, Reading
from projections.doctor.complete import check_complete
from projections.doctor.log import check_holes, check_log
from projections.doctor.watched import check_watched
from projections.folding.figures import projection_readings, troubles_of_projections
from projections.folding.health import read_health
from projections.folding.heartbeat import Heartbeat
from projections.folding.needs import needs
from projections.web.access import tokens
from tests import many_sources as many
from tests.api_client import running
from tests.browser_session import Browser, text_of
from tests.conftest import create
from tests.findings import of
from tests.fold_all import PROJECTIONS
from tests.program import environ, said

Found = dict[tuple[str, Labels], float]


@pytest.fixture(scope="module")
def crowded(server: postgres.Server, template: str) -> str:
    """The connection string of a database of many sources, which the tests only read."""
    conninfo = create(server, template)
    engine = sync_engine(conninfo, WORKER_ROLE)
    many.make(conninfo, engine)
    Heartbeat().note(engine, None)
    engine.dispose()
    return conninfo


@pytest.fixture
def reading(crowded: str) -> Iterator[Engine]:
    engine = sync_engine(crowded)
    yield engine
    engine.dispose()


def read(engine: Engine, named: NamedSources | None = None) -> Found:
    with engine.connect() as connection:
        if named is None:
            named = named_sources(connection, [troubles_of_log, troubles_of_projections])
        readings = [*log_readings(connection, named), *projection_readings(connection, PROJECTIONS, named)]
    return {(each.metric.name, each.labels): float(str(each.value)) for each in readings}


def test_metrics_name_the_worst_and_the_largest_and_give_the_others_as_one(reading: Engine) -> None:
    bounded, whole = read(reading), read(reading, EVERY_SOURCE)
    assert len(whole) > 9 * many.NUMBER
    by_name = {metric.name: metric for metric in METRICS if "source" in metric.labels}
    for name, metric in by_name.items():
        found = {labels: value for (each, labels), value in bounded.items() if each == name}
        sources = {labels[metric.labels.index("source")] for labels in found}
        assert len(sources) <= MOST_NAMED_SOURCES + 1, name
    heads_found = {
        labels[0]: value for (name, labels), value in bounded.items() if name == "rosterlog_log_head_position"
    }
    assert set(many.TROUBLED) | {many.LARGEST, OTHER_SOURCES} <= set(heads_found)
    assert len(heads_found) == MOST_NAMED_SOURCES + 1
    for name, combine in (
        ("rosterlog_log_head_position", sum), ("rosterlog_projection_position", sum),
        ("rosterlog_verify_problems", sum), ("rosterlog_quarantined_events", sum),
        ("rosterlog_projection_lag_events", max),
        ("rosterlog_log_last_received_timestamp_seconds", min), ("rosterlog_verify_timestamp_seconds", min),
    ):  # fmt: skip
        of_bounded, of_whole = ([v for (each, _), v in found.items() if each == name] for found in (bounded, whole))
        assert combine(of_bounded) == pytest.approx(combine(of_whole)), name
    for key in (
        ("rosterlog_projection_oldest_unfolded_timestamp_seconds", (many.BEHIND, "participants")),
        ("rosterlog_quarantined_events", (many.PARKED,)), ("rosterlog_verify_problems", (many.DAMAGED,)),
        ("rosterlog_deliveries_refused_in_a_row", (many.REFUSING,)),
    ):  # fmt: skip
        assert bounded[key] == whole[key] > 0


def test_the_worst_of_those_that_have_no_name_still_raises_an_alarm(reading: Engine) -> None:
    """As where more sources are in trouble than have names."""
    few = read(reading, NamedSources([many.LARGEST]))
    assert few["rosterlog_deliveries_refused_in_a_row", (OTHER_SOURCES,)] == 9
    assert few["rosterlog_projection_lag_events", (OTHER_SOURCES, "participants")] == 2
    assert few["rosterlog_verify_problems", (OTHER_SOURCES,)] == 7
    oldest = few["rosterlog_projection_oldest_unfolded_timestamp_seconds", (OTHER_SOURCES, "participants")]
    assert datetime.now(UTC).timestamp() - oldest > 500


def test_a_server_that_knows_no_projections_names_the_worst_of_the_log(reading: Engine) -> None:
    with reading.connect() as connection:
        found: list[Reading] = [*bounded_log_readings(connection)]
    named = {each.labels[0] for each in found if "source" in each.metric.labels}
    assert {many.DAMAGED, many.REFUSING, many.LARGEST, OTHER_SOURCES} <= named
    assert len(named) == MOST_NAMED_SOURCES + 1


def test_doctor_asks_about_all_sources_at_once(reading: Engine) -> None:
    statements: list[str] = []
    with reading.connect() as connection:
        event.listen(reading, "before_cursor_execute", lambda *args: statements.append(args[2]))
        logged = heads(connection)
        check_log(connection)
        found = [*check_holes(connection, logged), *check_watched(read_health(connection, PROJECTIONS, logged))]
        connection.rollback()
        found += check_complete(connection, PROJECTIONS[0].name, logged)
    assert len(logged) == many.NUMBER
    assert len(statements) < 60
    assert len(found) < 30
    assert of(found, "complete")[0][0] == "ok"
    assert any(many.REFUSING in line for _, line in of(found, "status"))


def test_the_page_of_operations_shows_the_worst_and_the_sums(crowded: str, reading: Engine) -> None:
    with reading.begin() as connection:
        token = tokens.create(connection, "op", tokens.NO_SOURCE, (), None)
    with running(crowded) as api:
        browser = Browser(api)
        browser.sign_in(token)
        page, one = browser.open("/operations"), browser.open("/operations?source=s0599")
    assert page.status_code == one.status_code == 200
    assert len(page.content) < 200_000
    assert all(f'<td data-column="source">{source}</td>' in page.text for source in many.TROUBLED)
    assert f"all {many.NUMBER:,}" in text_of(page)
    assert "<option" not in page.text
    assert '<td data-column="source">s0599</td>' in one.text


def test_status_fits_a_screen_and_its_json_has_every_source(crowded: str) -> None:
    env = environ(DATABASE_URL=crowded, MOVEMINT_WEBHOOK_SECRET="x")
    lines = said("status", env=env).splitlines()
    assert len(lines) < 40
    assert max(map(len, lines[:12])) <= 120
    assert all(any(line.startswith(source) for line in lines) for source in many.TROUBLED)
    [every] = [line for line in lines if line.startswith(f"all {many.NUMBER:,}")]
    assert not any(line.startswith("movemint ") for line in lines)
    [ahead] = [line for line in lines if "ahead of now" in line]
    assert ahead.startswith("movemint: 1 participant is ahead of now"), "named, though its source is not shown"
    events = (many.NUMBER - 1) * many.EVENTS + 2
    assert every.split()[2:6] == [str(events), str(events - 2), str(events - 2), "2"]
    document = json.loads(said("status", "--json", env=env))
    assert len(document["sources"]) == many.NUMBER


def test_what_needs_a_person_in_many_sources_is_said_once(reading: Engine) -> None:
    with reading.connect() as connection:
        transaction = connection.begin()
        connection.execute(text("update verification set finished_at = now() - interval '30 days'"))
        found = needs(read_health(connection, PROJECTIONS, ()))
        transaction.rollback()
    old = [sentence for sentence in found if "once a week by a timer" in sentence]
    assert len(old) == 4
    assert old[3].startswith(f"{many.NUMBER - 3:,} more likewise: ")
