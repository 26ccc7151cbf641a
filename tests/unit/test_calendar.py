"""Days in a zone: by the pinned rules of the zone, on days of 23, 24 and 25 hours, east and west of UTC."""

from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.time_zone import UTC_ZONE, TimeZone, UnknownTimeZone, time_zone
from projections.folding.calendar import Calendar, RaceDates, day_begins

NAMES = files("tzdata").joinpath("zones").read_text().split()
# Between two and fourteen hours from UTC, by halves and quarters, with days left out, midnights left out and repeated.
ZONES = [
    "UTC", "America/Denver", "Pacific/Kiritimati", "Pacific/Niue", "Asia/Kathmandu", "Australia/Lord_Howe",
    "America/St_Johns", "America/Sao_Paulo", "Pacific/Apia", "Asia/Gaza", "Africa/Casablanca", "Europe/Athens",
]  # fmt: skip
MOMENTS = st.integers(86_400, 4_102_185_600).map(lambda second: datetime.fromtimestamp(second, UTC))


def rules(name: str) -> ZoneInfo:
    """The same zone as Python reads it."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file)


def local_day(zone: TimeZone, time: str) -> str:
    return Calendar(zone).local_day()("", time)


def spelled(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@given(st.sampled_from(ZONES), MOMENTS)
def test_a_day_is_the_one_that_a_clock_of_the_zone_shows(name: str, moment: datetime) -> None:
    shown = moment.astimezone(rules(name)).date()
    assert local_day(time_zone(name), spelled(moment)) == shown.isoformat()
    assert local_day(time_zone(name), f"{moment:%Y-%m-%d %H:%M:%S.%f}+00") == shown.isoformat(), "as PostgreSQL writes"


@given(st.sampled_from(ZONES), st.dates(date(1970, 1, 3), date(2099, 12, 29)))
def test_a_day_begins_at_the_first_moment_that_is_not_earlier(name: str, day: date) -> None:
    begins = day_begins(time_zone(name), day)
    assert begins.astimezone(rules(name)).date() >= day
    for earlier in (1, 60, 3_600, 24 * 3_600):
        assert (begins - timedelta(seconds=earlier)).astimezone(rules(name)).date() < day


@given(st.sampled_from(NAMES), MOMENTS)
def test_days_around_the_changes_of_any_zone(name: str, moment: datetime) -> None:
    zone = time_zone(name)
    clock = rules(name)
    for second in [change for change in zone.changes if abs(change - moment.timestamp()) < 200 * 86_400]:
        for around in (second - 1, second, second + 1):
            at = datetime.fromtimestamp(around, UTC)
            assert local_day(zone, spelled(at)) == at.astimezone(clock).date().isoformat()


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-08", 23), ("2026-03-09", 24), ("2026-11-01", 25), ("2026-07-01", 24)]
)
def test_a_day_with_a_change_of_clocks_has_23_or_25_hours(day: str, hours: int) -> None:
    zone, first = time_zone("America/Denver"), date.fromisoformat(day)
    begins, ends = day_begins(zone, first), day_begins(zone, first + timedelta(days=1))
    assert ends - begins == timedelta(hours=hours)
    shown = [local_day(zone, spelled(begins + timedelta(hours=hour))) for hour in range(hours + 1)]
    assert shown == [day] * hours + [(first + timedelta(days=1)).isoformat()]


def test_beyond_the_known_years_a_zone_keeps_its_offset() -> None:
    denver = time_zone("America/Denver")
    assert [local_day(denver, f"{year}-01-01T06:59:59Z") for year in ("0002", "1900", "2999", "9998")] == [
        "0001-12-31", "1899-12-31", "2998-12-31", "9997-12-31",
    ]  # fmt: skip
    assert local_day(time_zone("Pacific/Kiritimati"), "9998-12-31T23:00:00Z") == "9999-01-01"


def test_a_race_has_its_own_zone_and_all_others_the_common_one() -> None:
    calendar = Calendar(time_zone("America/Denver"), (RaceDates("501", time_zone("Europe/Athens")),))
    day = calendar.local_day()
    assert [day(race, "2026-05-02T02:00:00Z") for race in ("501", "502", "")] == [
        "2026-05-02", "2026-05-01", "2026-05-01",
    ]  # fmt: skip
    begins = calendar.day_begins()
    assert [begins(race, "2026-05-02") for race in ("501", "502")] == [
        "2026-05-01T21:00:00+00:00", "2026-05-02T06:00:00+00:00",
    ]  # fmt: skip


def test_a_calendar_in_utc_costs_no_calendar() -> None:
    assert Calendar().is_utc
    assert Calendar(UTC_ZONE, (RaceDates("1", time_zone("Etc/UTC"), date(2026, 5, 1)),)).is_utc
    assert not Calendar(UTC_ZONE, (RaceDates("1", time_zone("Europe/London")),)).is_utc


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("America/Denvr", "did you mean America/Denver?"),
        ("america/denver", "did you mean America/Denver?"),
        ("America/New York", "did you mean America/New_York?"),
        ("+02:00", "is no time zone of the IANA database"),
        ("../tzdata/zones", "is no time zone of the IANA database"),
        ("", "is no time zone of the IANA database"),
        ("posixrules", "is no time zone of the IANA database"),
    ],
)
def test_a_zone_that_is_not_there_is_refused_with_the_one_that_was_meant(name: str, said: str) -> None:
    with pytest.raises(UnknownTimeZone) as refused:
        time_zone(name)
    assert said in str(refused.value)


def test_what_a_zone_means_is_part_of_what_it_is() -> None:
    """A definition is a digest of this text: the same rules in another release of tzdata ask for no rebuild."""
    denver = time_zone("America/Denver")
    assert repr(denver) != repr(TimeZone(denver.name, denver.changes[:-1], denver.offsets[:-1]))
    assert repr(denver) == repr(TimeZone("America/Denver", denver.changes, denver.offsets))
