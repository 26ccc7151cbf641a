"""Days in the zone of a race, in the API and in exports: counts, dates in place of times, as of a day."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest

from ingest.database import sync_engine
from tests import model
from tests.api_client import Api, make_token, running
from tests.fold_all import query
from tests.program import environ, run
from tests.zoned_people import DAYS_OF_600, Projections, fold_by, report_rows, somebody


@pytest.fixture(scope="module")
def api(zoned: str) -> Iterator[tuple[Api, str]]:
    engine = sync_engine(zoned)
    token = make_token(engine)
    engine.dispose()
    with running(zoned) as running_api:
        yield running_api, token


def test_twelve_who_register_on_friday_evening_in_denver_are_counted_on_friday(
    zoned: str, api: tuple[Api, str]
) -> None:
    friday = [(date(2026, 5, 1), 12)]
    counted = "select day, {} from {} where event_id = '501' group by day order by day"
    for what, where in (
        ("count(*)", "registrations"),
        ("sum(registrations)::int", "registrations_daily"),
        ("sum(registrations)::int", "reporting.registrations_daily"),
        ("max(cumulative)::int", "reporting.registrations_daily"),
    ):
        assert query(zoned, counted.format(what, where)) == friday, where
    shown = report_rows(zoned, "registrations_by_day", event="501")
    assert [(row["day"], row["registrations"], row["cumulative"]) for row in shown] == [(date(2026, 5, 1), 12, 12)]
    assert report_rows(zoned, "registrations_by_day", event="501", until="2026-04-30") == []
    [event] = [race for race in api[0].listed("/v1/events", api[1]) if race["event_id"] == "501"]
    assert event == api[0].ask("/v1/events/501", api[1]).json()
    assert event["days"] == [{"day": "2026-05-01", "participants": 12}]
    assert (event["time_zone"], event["starts_on"], event["previous_event_id"]) == (
        "America/Denver", "2026-06-20", "431",
    )  # fmt: skip
    as_of = api[0].ask("/v1/events/501", api[1], as_of=5).json()
    assert as_of["days"] == [{"day": "2026-05-01", "participants": 5}]
    on_the_day = "select reporting.day_of(registered_at, event_id) from reporting.participants where event_id = '501'"
    assert set(query(zoned, on_the_day)) == {(date(2026, 5, 1),)}


def test_days_of_23_and_25_hours_and_dates_alone_are_counted_as_the_zone_has_them(
    zoned: str, api: tuple[Api, str]
) -> None:
    known = "where event_id = '600' and day < '2026-11-10' and day > '2026-01-01'"
    daily = query(zoned, f"select day::text, registrations, time_zone from reporting.registrations_daily {known}")
    wanted = {(day, number, "America/Denver") for day, number in DAYS_OF_600.items()}
    [today] = query(zoned, "select day_begins::text from reporting.day_begins(reporting.day_of(now()))")
    assert {row for row in daily if row[0] != today[0][:10]} == wanted
    days = api[0].ask("/v1/events/600", api[1]).json()["days"]
    assert {each["day"]: each["participants"] for each in days if each["day"] in DAYS_OF_600} == DAYS_OF_600
    assert sum(each["participants"] for each in days) == 7


def test_two_races_of_one_source_have_days_of_their_own_zones(zoned: str, api: tuple[Api, str]) -> None:
    daily = "select day::text, registrations, time_zone from reporting.registrations_daily where event_id = '777'"
    assert sorted(query(zoned, daily)) == [
        ("2026-05-01", 1, "Pacific/Kiritimati"),
        ("2026-05-02", 1, "Pacific/Kiritimati"),
    ]
    race = api[0].ask("/v1/events/777", api[1]).json()
    assert [each["day"] for each in race["days"]] == ["2026-05-01", "2026-05-02"]
    assert (race["time_zone"], race["starts_on"], race["previous_event_id"]) == ("Pacific/Kiritimati", None, None)
    zones = "select event_id, time_zone, starts_on::text, previous_event_id from reporting.events order by 1"
    assert query(zoned, zones) == [
        ("431", "America/Denver", "2025-06-21", None),
        ("501", "America/Denver", "2026-06-20", "431"),
        ("600", "America/Denver", None, None),
        ("777", "Pacific/Kiritimati", None, None),
    ]


def test_api_and_daily_counts_agree_on_every_day(zoned: str, api: tuple[Api, str]) -> None:
    for race in api[0].listed("/v1/events", api[1]):
        counted = "select day::text, sum(registrations)::int from registrations_daily where event_id = %s group by day"
        daily = query(zoned, counted, race["event_id"])
        assert {each["day"]: each["participants"] for each in race["days"]} == dict(daily)


@pytest.mark.parametrize(
    ("day", "question", "expected"),
    [
        # The installation's zone is Denver's, six hours behind: Friday begins at 06:00.
        ("registered_at__gte=2026-05-01", {}, {*range(1, 13), 30, 31, 43, 44, 45}),
        ("registered_at__lt=2026-05-02", {"event_id": "501"}, {*range(1, 13)}),
        ("registered_at__lt=2026-05-01", {"event_id": "501"}, set()),
        # Of a race in Kiritimati, fourteen hours ahead: the second of May begins at 10:00 on the first.
        ("registered_at__gte=2026-05-02", {"event_id": "777"}, {31}),
        ("registered_at__gte=2026-05-02", {"event_id__in": "777"}, {31}),
        ("registered_at__gte=2026-05-02", {"event_id__in": "777,778"}, set()),
        ("registered_at=2026-11-02", {}, {44, 45}),
        ("registered_at__in=2026-11-02,2026-11-03", {}, {44, 45}),
        # With a time it is UTC, as ever.
        ("registered_at__gte=2026-05-02T00:00", {"event_id": "777"}, set()),
        ("registered_at__gte=2026-05-01T10:00:00Z", {"event_id": "777"}, {31}),
        ("registered_at__gte=0001-01-01", {"event_id": "777"}, {30, 31}),
        ("registered_at__lte=9999-12-31", {"event_id": "777"}, {30, 31}),
    ],
)  # fmt: skip
def test_a_date_in_place_of_a_time_is_the_beginning_of_that_day_in_the_zone(
    api: tuple[Api, str], day: str, question: dict[str, str], expected: set[int]
) -> None:
    name, _, value = day.partition("=")
    found = api[0].listed("/v1/participants", api[1], **{name: value, **question}, limit=1000)
    assert {int(each["participant_id"]) for each in found} == expected
    csv = api[0].ask("/v1/participants.ndjson", api[1], **{name: value, **question})
    assert len(csv.text.splitlines()) == len(expected)


def test_as_of_a_day_is_as_of_its_beginning_in_the_zone_of_the_race(
    database: str, zoned_projections: Projections
) -> None:
    """Two events: of the last minute of a day in Denver, and just after the first moment of the next one."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table event_log disable trigger user")
        model.append_on(connection, [somebody(1, 501, None)])
        model.append_on(connection, [somebody(2, 777, None)])
        for position, at in ((1, "2026-05-01T05:59:00Z"), (2, "2026-05-01T06:00:00.000001Z")):
            connection.execute("update event_log set received_at = %s where position = %s", (at, position))
    fold_by(zoned_projections, database, [])
    owner = sync_engine(database)
    token, of_one = make_token(owner), make_token(owner, "one", events=("777",))
    owner.dispose()
    with running(database) as api:

        def seen(token: str, path: str = "/v1/participants", **asked: str) -> int:
            answer = api.ask(path, token, **asked)
            assert answer.status_code == 200, answer.text
            return int(answer.headers["Rosterlog-Position"])

        assert seen(token, as_of="2026-05-01") == 1
        assert seen(token, as_of="2026-05-02") == 2
        assert seen(token, as_of="2026-05-02", event_id="777") == 2
        assert seen(token, as_of="2026-05-01", event_id="777") == 0
        assert seen(token, "/v1/participants.csv", as_of="2026-05-01", event_id="501") == 1
        assert seen(of_one, as_of="2026-05-01") == 0, "all that this token sees is of one race"
        assert api.ask("/v1/events/777", token, as_of="2026-05-01").status_code == 404
        assert seen(token, "/v1/events/777", as_of="2026-05-02") == 2
        assert seen(token, as_of="2026-05-01T00:00") == 0
        assert api.ask("/v1/events/501", of_one).status_code == 404
    day = "select participant_id, day::text from registrations order by 1"
    assert query(database, day) == [("1", "2026-04-30"), ("2", "2026-05-01")]


def test_an_export_from_the_command_line_takes_days_of_the_zone(zoned: str, tmp_path: Path) -> None:
    env = environ(DATABASE_URL=zoned)
    for filters, number in (
        (["registered_at__gte=2026-05-02", "event_id=777"], 1),
        (["registered_at__lt=2026-05-02", "event_id=501"], 12),
    ):
        file = tmp_path / "people.ndjson"
        run("export", "participants", "--format", "ndjson", "--output", str(file), *filters, env=env)
        assert len(file.read_text().splitlines()) == number
    assert "NEEDS YOU  participants: nothing is folded" in run("status", env=env, code=1)
