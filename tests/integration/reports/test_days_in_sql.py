"""Days in the zone of a race, in SQL: ages, reports, functions; and views that a session in any zone can read."""

from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from ingest import postgres
from ingest.database import REPORTING_PII_ROLE, sync_engine
from ingest.time_zone import time_zone
from projections.folding.calendar import Calendar, day_begins
from projections.reports.report import reports, run_report, values_of
from tests.conftest import create
from tests.fold_all import query
from tests.secret_people import VIEWS, take
from tests.zoned_people import BODIES, EDGES, Projections, fold_by, report_rows, somebody


def test_an_age_is_that_of_race_day_where_the_start_is_known_and_says_so(zoned: str) -> None:
    """Who turns eighteen between registration and race day is eighteen; the others count on the day of registration."""
    ages = (
        "select participant_id, age_band, age_basis from {} where participant_id in ('1', '20', '30', '31', '40', '41')"
    )
    wanted = [
        ("1", "18-24", "race day"), ("20", "under 18", "race day"), ("30", "under 18", "registration"),
        ("31", "18-24", "registration"), ("40", "25-34", "as sent"), ("41", None, None),
    ]  # fmt: skip
    for view in ("participants", "participant_history", "participants_as_of(now())"):
        assert sorted(query(zoned, ages.format(f"reporting.{view}"))) == wanted, view
    with psycopg.connect(zoned) as connection:
        connection.execute("select publish_these('movemint', '{1,20,30,31,40,41}')")
        assert sorted(connection.execute(ages.format("published_participants").encode()).fetchall()) == wanted
    by_event = {row["event_id"]: row["age_basis"] for row in report_rows(zoned, "gender_and_age") if row["age_band"]}
    assert by_event == {"431": "race day", "501": "race day", "600": "as sent", "777": "registration"}


def test_reports_know_the_start_the_previous_edition_and_the_day_of_the_race(zoned: str) -> None:
    editions = report_rows(zoned, "editions", event="501")
    assert [(row["previous_event_id"], row["days_before"]) for row in editions] == [("431", 50)]
    assert [(row["registrations"], row["previous_registrations"]) for row in editions] == [(12, 1)]
    [projected] = report_rows(zoned, "projected_total", event="501", today="2026-05-01")
    assert (projected["registrations"], projected["starts_on"], projected["days_left"]) == (12, date(2026, 6, 20), 50)
    assert report_rows(zoned, "projected_total", event="501", today="2026-04-30") == []


def test_reports_that_begin_on_a_day_begin_with_its_first_moment_in_the_zone(zoned: str) -> None:
    engine = sync_engine(zoned)
    with engine.connect() as connection:
        connection.exec_driver_sql("alter table event_redelivery disable trigger user")
        for position, at in ((1, "2026-05-01T05:59:59Z"), (2, "2026-05-01T06:00:00Z")):
            connection.exec_driver_sql("insert into event_redelivery values ('movemint', %s, 20, %s)", (position, at))
        report = reports()["redelivery_storms"]
        found = run_report(connection, report, "movemint", values_of(report, {"since": "2026-05-01"}))
        assert [row[0].isoformat() for row in found.rows] == ["2026-05-01T06:00:00+00:00"]
    engine.dispose()


@pytest.fixture(scope="module")
def edged(server: postgres.Server, template: str, zoned_projections: Projections) -> str:
    return fold_by(zoned_projections, create(server, template), BODIES + EDGES)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Denver", "Pacific/Niue", "Asia/Kathmandu"])
def test_every_view_and_report_reads_the_same_in_a_session_of_any_zone(edged: str, zone: str) -> None:
    def seen(zone: str) -> dict[str, list[str]]:
        with psycopg.connect(edged) as connection:
            connection.execute("select set_config('timezone', %s, false)", [zone])
            take(connection, REPORTING_PII_ROLE)
            tables: dict[str, Any] = {
                view: connection.execute(f"select * from reporting.{view}".encode()).fetchall() for view in VIEWS
            }
        engine = sync_engine(edged, REPORTING_PII_ROLE)
        with engine.connect() as session:
            session.exec_driver_sql("select set_config('timezone', %s, false)", (zone,))
            for name, report in reports().items():
                tables[name] = run_report(session, report, "movemint", values_of(report, {})).rows
        engine.dispose()
        return {name: sorted(str([in_utc(value) for value in row]) for row in rows) for name, rows in tables.items()}

    assert query(edged, "select count(*) from reporting.participants") == [(27,)]
    assert seen(zone) == seen("UTC")


def in_utc(value: object) -> object:
    if isinstance(value, list):
        return [in_utc(each) for each in value]
    return value.astimezone(UTC) if isinstance(value, datetime) else value


@pytest.mark.parametrize("name", ["Pacific/Apia", "America/Sao_Paulo", "Asia/Kathmandu", "America/St_Johns", "UTC"])
def test_sql_and_the_fold_have_the_same_days(asking: psycopg.Connection[Any], name: str) -> None:
    """Around each change of zones that leave days out, begin days late, and are hours from UTC."""
    zone = time_zone(name)
    [row, *_] = Calendar(zone).as_json()
    rules = {"changes": row["changes"], "offsets": list(zone.offsets)}
    moments = [
        datetime.fromtimestamp(second + by, UTC) for second in zone.changes[-60:] or (0,) for by in (-1, 0, 90_000)
    ]
    days = asking.execute(
        """
        select local_day(at, cast(%(changes)s as timestamptz[]), cast(%(offsets)s as integer[]))
        from unnest(cast(%(moments)s as timestamptz[])) with ordinality as m (at, place)
        order by place
        """,
        {**rules, "moments": moments},
    ).fetchall()
    assert [day.isoformat() for (day,) in days] == [Calendar(zone).local_day()("", at.isoformat()) for at in moments]
    begins = asking.execute(
        """
        select day, day_begins(day, cast(%(changes)s as timestamptz[]), cast(%(offsets)s as integer[]))
        from unnest(cast(%(days)s as date[])) as d (day)
        """,
        {**rules, "days": [day for (day,) in days]},
    ).fetchall()
    assert len(begins) == len(moments)
    assert [at for _, at in begins] == [day_begins(zone, day) for day, _ in begins]


def test_transfers_since_a_day_begin_with_its_first_moment_in_the_zone_of_the_event(
    server: postgres.Server, template: str, zoned_projections: Projections
) -> None:
    conninfo = create(server, template)
    people = [somebody(1, 501, None), somebody(1, 431, None), somebody(2, 501, None), somebody(2, 777, None)]
    fold_by(zoned_projections, conninfo, people)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("update participants_build set received_at = '2026-05-01T05:59:59Z'")

    def moved(since: str) -> list[str]:
        return [row["participant_id"] for row in report_rows(conninfo, "transfers", since=since)]

    assert moved("2026-04-30") == ["2", "1"]
    assert moved("2026-05-01") == ["2"], "it was the last of April in Denver"
    assert moved("2026-05-02") == []
