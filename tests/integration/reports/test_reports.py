"""Ready reports: each on known data, by hand; how they are written; what they refuse."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from ingest import postgres
from ingest.database import REPORTING_PII_ROLE, REPORTING_ROLE, WORKER_ROLE, sync_engine
from projections.reports.report import reports, run_report, values_of
from tests import model
from tests.api_client import get, make_token
from tests.conftest import create
from tests.fold_all import drain


def somebody(id_: int, day: str, **fields: object) -> bytes:
    times = {"created_at": f"{day}T08:00:00Z", "updated_at": f"{day}T08:00:00Z"}
    return model.body(id_, **{**times, **fields})


CITY_2025 = {"event": {"id": 1, "name": "City Run 2025", "start_date": "2025-06-10"}}
CITY_2026 = {"event": {"id": 2, "name": "City Run 2026", "start_date": "2026-06-20"}}
LAKE = {"event_id": 3, "event_name": "Lake"}
MO = {"first_name": "Mo", "last_name": "Ve", "bib": "77"}
TEN = {"sub_event_id": 8, "sub_event_name": "10 km"}
BODIES = [
    somebody(1, "2025-06-01", **CITY_2025, bib="5", athlete_id=70, first_name="Ada", last_name="Lo"),
    somebody(2, "2025-06-03", **CITY_2025, bib="5", athlete_id=71),
    somebody(3, "2026-06-09", **CITY_2026, bib="5", athlete_id=70, first_name="Ada", last_name="Loh", team="Owls"),
    somebody(4, "2026-06-10", **CITY_2026, **TEN, team=" owls", gender="female", dob="2000-01-01", status="active"),
    somebody(5, "2026-06-10", **CITY_2026, **TEN, team="owls", gender="female", dob="2000-02-01", status="active"),
    somebody(6, "2026-06-10", **CITY_2026, **TEN, gender="male", age=15, bib="6", status="deferred"),
    somebody(7, "2026-06-18", **LAKE, athlete_id=70, first_name="Ada", last_name="Loh", bib="1", team="=cmd()",
             dob="not a date", answers={"41": {"label": "Shirt size", "value": "M"}}),
    somebody(8, "2026-06-18", **LAKE, answers=[{"question_id": 41, "question": "Shirt size", "answer": "M"}]),
    somebody(9, "2026-06-19", **LAKE, answers=[{"question_id": 41, "question": "Shirt size", "answer": "S"}]),
    somebody(9, "2026-06-18", **LAKE, status="this is older"),
    somebody(8, "2026-06-19", **LAKE, created_at="2026-06-18T08:00:00Z", bib="9"),
    somebody(10, "2026-05-01", **MO, event_id=11, sub_event_id=1, sub_event_name="Long"),
    somebody(10, "2026-05-02", **MO, event_id=11, sub_event_id=2, sub_event_name="Short"),
    somebody(10, "2026-05-03", **MO, event_id=12),
    somebody(10, "2026-05-04", **MO, event_id=12, sub_event_id=3),
]  # fmt: skip
UNANSWERED = ("Shirt size", "41", None, "1", None)


@pytest.fixture(scope="module")
def reported(server: postgres.Server, template: str) -> str:
    """Two editions of a run, a lake, one change, one late arrival, one redelivered twelve times; another source."""
    conninfo = create(server, template)
    model.append(conninfo, BODIES)
    model.append(conninfo, [BODIES[0]] * 11)
    model.append(conninfo, [somebody(1, "2026-03-02", **CITY_2026, team="Strangers", bib="5")] * 2, "other")
    worker = sync_engine(conninfo, WORKER_ROLE)
    for source in ("movemint", "other"):
        drain(worker, source)
    worker.dispose()
    return conninfo


@pytest.fixture
def analyst(reported: str) -> Iterator[Engine]:
    engine = sync_engine(reported, REPORTING_PII_ROLE)
    yield engine
    engine.dispose()


def rows(engine: Engine, name: str, **given: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        report = run_report(connection, reports()[name], "movemint", values_of(reports()[name], given))
    return [tuple(str(value) if value is not None else None for value in row) for row in report.rows]


KNOWN: list[tuple[str, dict[str, str], list[tuple[Any, ...]]]] = [
    ("registrations_by_day", {"event": "2"}, [
        ("2", "City Run 2026", "2026-06-09", "1", "1"), ("2", "City Run 2026", "2026-06-10", "3", "4"),
    ]),
    ("registrations_by_day", {"event": "2", "sub_event": "8", "since": "2026-06-10", "until": "2026-06-10"}, [
        ("2", "City Run 2026", "2026-06-10", "3", "3"),
    ]),
    ("registrations_by_day", {"event": "2", "since": "2026-06-10"}, [("2", "City Run 2026", "2026-06-10", "3", "4")]),
    ("registrations_by_day", {"event": "2", "until": "2026-06-09"}, [("2", "City Run 2026", "2026-06-09", "1", "1")]),
    ("sub_events_by_status", {"event": "2"}, [
        ("2", "City Run 2026", "8", "10 km", "active", "2", "66.7"),
        ("2", "City Run 2026", "8", "10 km", "deferred", "1", "33.3"),
        ("2", "City Run 2026", None, None, None, "1", "100.0"),
    ]),
    ("gender_and_age", {"event": "2"}, [
        ("2", "City Run 2026", "female", "25-34", "2", "50.0", "registration"),
        ("2", "City Run 2026", "male", "under 18", "1", "25.0", "as sent"),
        ("2", "City Run 2026", None, None, "1", "25.0", None),
    ]),
    ("gender_and_age", {"event": "2", "status": "deferred"}, [
        ("2", "City Run 2026", "male", "under 18", "1", "100.0", "as sent"),
    ]),
    ("answers", {}, [("Shirt size", "41", "M", "1", "50.0"), ("Shirt size", "41", "S", "1", "50.0"), UNANSWERED]),
    ("answers", {"most": "1"}, []),
    ("answers", {"question": "41", "event": "3"}, [
        ("Shirt size", "41", "M", "1", "50.0"), ("Shirt size", "41", "S", "1", "50.0"), UNANSWERED,
    ]),
    ("answers", {"event": "2"}, []),
    ("answers", {"question": "Age"}, []),
    ("teams", {}, [("2", "City Run 2026", " owls", "3")]),
    ("teams", {"least": "1", "event": "3"}, [("3", "Lake", "=cmd()", "1")]),
    ("bibs", {}, [
        ("1", "City Run 2025", "double", "5", "2"), ("2", "City Run 2026", "missing", None, "2"),
        ("3", "Lake", "missing", None, "1"),
    ]),
    ("bibs", {"event": "2", "status": "deferred"}, []),
    ("not_updated", {"event": "3"}, [("3", "Lake", None, "3", "2", "66.7", "2026-06-18 08:00:00+00:00")]),
    ("not_updated", {"days": "1000000"}, []),
    ("late_arrivals", {}, [("9", "10", ..., "9", "2026-06-19 08:00:00+00:00", None)]),
    ("late_arrivals", {"since": "2999-01-01"}, []),
    ("late_arrivals", {"most": "0"}, []),
    ("transfers", {}, [
        ("10", "Mo", "Ve", "77", ..., "14", "11", "2", "Short", "12", None, None, None, None),
        ("10", "Mo", "Ve", "77", ..., "13", "11", "1", "Long", "11", "2", "Short", None, None),
    ]),
    ("transfers", {"event": "12"}, [
        ("10", "Mo", "Ve", "77", ..., "14", "11", "2", "Short", "12", None, None, None, None),
    ]),
    ("transfers", {"most": "1"}, [
        ("10", "Mo", "Ve", "77", ..., "14", "11", "2", "Short", "12", None, None, None, None),
    ]),
    ("transfers", {"since": "2999-01-01"}, []),
    ("checklist", {"event": "3", "questions": '41,"Age, in years"'}, [
        ("1", "Loh", "Ada", None, None, "M"), ("9", None, None, None, None, None), (None, None, None, None, None, "S"),
    ]),
    ("checklist", {"event": "2", "sub_event": "8", "status": "active"}, [(None, None, None, "10 km", "active")] * 2),
    ("repeat_participants", {}, [("70", "Ada", "Loh", "3", "1, 2, 3", "1")]),
    ("repeat_participants", {"least": "4"}, []),
    ("repeat_participants", {"most": "0"}, []),
    ("editions", {}, [
        ("2", "City Run 2026", "1", "11", "1", "0"), ("2", "City Run 2026", "1", "10", "4", "0"),
        ("2", "City Run 2026", "1", "9", "4", "1"), ("2", "City Run 2026", "1", "7", "4", "2"),
    ]),
    ("editions", {"event": "3", "start": "2026-06-19", "previous": "1", "previous_start": "2025-06-04"}, [
        ("3", "Lake", "1", "3", "0", "1"), ("3", "Lake", "1", "1", "2", "2"), ("3", "Lake", "1", "0", "3", "2"),
    ]),
    ("editions", {"event": "1"}, []),
    ("redelivery_storms", {}, [(..., "1", "11", "11", "1", "1")]),
    ("redelivery_storms", {"least": "12"}, []),
    ("redelivery_storms", {"since": "2999-01-01"}, []),
    ("projected_total", {"event": "2", "today": "2026-06-11", "days": "2"}, [
        ("2", "City Run 2026", "4", "2.0", "2026-06-20", "9", "22"),
    ]),
    ("projected_total", {"event": "3", "today": "2026-06-20", "start": "2026-06-20"}, [
        ("3", "Lake", "3", "1.5", "2026-06-20", "0", "3"),
    ]),
    ("projected_total", {"event": "3", "today": "2026-06-18", "start": "2026-06-20"}, [
        ("3", "Lake", "2", "0.0", "2026-06-20", "2", "2"),
    ]),
    ("projected_total", {"event": "3", "today": "2026-06-17"}, []),
    ("sub_events_by_status", {"event": "none"}, []),
    ("projected_total", {"event": "3"}, [("3", "Lake", "3", ..., None, None, None)]),
    ("unreadable_values", {}, [("dob", "not an ISO date such as 1990-12-31", "1", "7")]),
    ("unreadable_values", {"event": "2"}, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "given", "expected"), KNOWN, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_report_on_known_data(
    analyst: Engine, name: str, given: dict[str, str], expected: list[tuple[Any, ...]]
) -> None:
    shown = rows(analyst, name, **given)
    assert len(shown) == len(expected), shown
    for row, wanted in zip(shown, expected, strict=True):
        assert [value for value, other in zip(row, wanted, strict=True) if other is not ...] == [
            other for other in wanted if other is not ...
        ]


def test_races_without_ids_are_told_apart_by_their_names(database: str, engine: Engine, worker_engine: Engine) -> None:
    """Other words of the same id are no change, nor are a name and an id that come in turn."""
    before: list[dict[str, object]] = [
        {"sub_event_name": "10K"}, {"event_name": "Spring"}, {"sub_event_name": "10K"},
        {"event_id": 7, "event_name": "Lake"}, {"event_id": 7, "sub_event_name": "10K"}, {"event_name": "Lake"},
        {"sub_event_name": "10 km"}, {},
    ]  # fmt: skip
    after: list[dict[str, object]] = [
        {"sub_event_name": "21K"}, {"event_name": "Autumn"}, {},
        {"event_id": 7, "event_name": "Lakes"}, {"event_id": 7, "sub_event_id": 3}, {"event_id": 7},
        {"sub_event_name": "10\N{NO-BREAK SPACE}KM"}, {"event_name": "Lake"},
    ]  # fmt: skip
    for day, races in enumerate((before, after)):
        model.append(database, [model.body(id_, bib=str(day), **race) for id_, race in enumerate(races)])
    drain(worker_engine)
    assert sorted((row[0], row[8], row[11], *row[12:]) for row in rows(engine, "transfers")) == [
        ("0", "10K", "21K", None, None), ("1", None, None, "Spring", "Autumn"), ("2", "10K", None, None, None),
    ]  # fmt: skip


def test_bibs_are_compared_as_by_the_lists(database: str, engine: Engine, worker_engine: Engine) -> None:
    bibs = ("20", "020", "Ａ7", "a07", "a07", "B 1", "B1", "0", "00", " ", "-")
    model.append(database, [model.body(number, event_id=1, bib=bib) for number, bib in enumerate(bibs)])
    drain(worker_engine)
    assert rows(engine, "bibs") == [
        ("1", None, "missing", None, "1"), ("1", None, "double", "a07, Ａ7", "3"),
        ("1", None, "double", "0, 00", "2"), ("1", None, "double", "020, 20", "2"),
    ]  # fmt: skip
    token = make_token(engine)
    doubles = get(database, "/v1/participants", token, event_id=1, bib__double="true", columns="bib").json()["data"]
    assert sorted(each["bib"] for each in doubles) == ["0", "00", "020", "20", "a07", "a07", "Ａ7"]


def test_every_report_has_a_test_and_every_parameter_of_it() -> None:
    tested = {(name, parameter) for name, given, _ in KNOWN for parameter in given}
    declared = {(report.name, parameter.name) for report in reports().values() for parameter in report.parameters}
    assert {name for name, _, _ in KNOWN} == set(reports())
    assert declared - tested <= {
        ("sub_events_by_status", "event"), ("teams", "event"), ("bibs", "event"), ("not_updated", "event"),
    }  # fmt: skip
    assert len(reports()) >= 12


@pytest.mark.parametrize("name", list(reports()))
def test_reports_are_of_one_source_and_work_without_personal_data(reported: str, name: str) -> None:
    engine = sync_engine(reported, REPORTING_ROLE)
    with engine.connect() as connection:
        asked = reports()[name]
        run_report(connection, asked, "movemint", values_of(asked, {}))
        assert run_report(connection, asked, "nobody's", values_of(asked, {})).rows == []
    engine.dispose()
    assert "source = :source" in asked.sql
    assert len(asked.sql.splitlines()) <= 65
    assert asked.answers.endswith(".")


def test_what_was_unreadable_nameless_or_in_no_event_misleads_no_report(database: str, worker_engine: Engine) -> None:
    """A delivery set aside, then healed or not, is not late; events without names are no editions of each other."""
    unreadable = b'{"type": "event.participant.created", "data": {"object": {"id": %d, "first_name": "\\ud83d"}}}'
    day = "2026-03-02"
    starts = [{"event": {"id": id_, "start_date": f"2026-0{id_}-01"}} for id_ in (5, 6)]
    model.append(
        database, [unreadable % 1, somebody(1, day, **starts[0]), somebody(2, day, **starts[1]), unreadable % 2]
    )
    model.append(database, [somebody(3, day, **TEN)])
    drain(worker_engine)
    engine = sync_engine(database, REPORTING_PII_ROLE)
    assert rows(engine, "late_arrivals") == []
    assert rows(engine, "editions") == []
    assert (None, None, "8", "10 km", None, "1", "100.0") in rows(engine, "sub_events_by_status")
    engine.dispose()
