"""In which zone the days of a race are, when it starts, which was its previous edition; and days in a zone. Pure."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from ingest.time_zone import UTC_ZONE, TimeZone

_DAY = 86_400  # seconds
_FIRST_DAY = date(1970, 1, 1).toordinal()
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_DAYS = 4_096  # of a zone that are remembered: eleven years of registrations

LocalDay = Callable[[str], str]
"""Gives the day of a time in UTC; both are texts, the time as `2026-05-01T09:30:00Z` or as PostgreSQL writes it."""


@dataclass(frozen=True, slots=True)
class RaceDates:
    """What is known of a race. `previous`: the id of its previous edition. None: not known."""

    event_id: str
    time_zone: TimeZone
    starts_on: date | None = None
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """`time_zone`: of the days of all races that are not among `races`, which are in the order of their ids."""

    time_zone: TimeZone = UTC_ZONE
    races: tuple[RaceDates, ...] = ()

    @property
    def is_utc(self) -> bool:
        """Whether every day is in UTC."""
        return self.time_zone.is_utc and all(race.time_zone.is_utc for race in self.races)

    def local_day(self) -> Callable[[str, str], str]:
        """The function that gives the day of a time in the zone of a race, by the race's id; "" for none."""
        if self.is_utc:
            return lambda _event_id, time: time[:10]
        others = local_day(self.time_zone)
        by_race = {race.event_id: local_day(race.time_zone) for race in self.races}
        return lambda event_id, time: by_race.get(event_id, others)(time)

    def day_begins(self) -> Callable[[str, str], str]:
        """The function that gives the first moment of a day in the zone of a race, by the race's id; all are texts."""
        zones = {race.event_id: race.time_zone for race in self.races}

        @lru_cache(_MOST_DAYS)
        def begins(event_id: str, day: str) -> str:
            return day_begins(zones.get(event_id, self.time_zone), date.fromisoformat(day)).isoformat()

        return begins

    def as_json(self) -> list[dict[str, object]]:
        """A row per race for the database; the first, without a race, is of all others."""
        rows = [RaceDates("", self.time_zone), *self.races]
        return [
            {
                "event_id": row.event_id or None,
                "time_zone": row.time_zone.name,
                "changes": [_moment(second).isoformat() for second in row.time_zone.changes],
                "offsets": row.time_zone.offsets,
                "starts_on": row.starts_on and row.starts_on.isoformat(),
                "previous_event_id": row.previous,
            }
            for row in rows
        ]


UTC_CALENDAR = Calendar()


def local_day(zone: TimeZone) -> LocalDay:
    """The function that gives the day of a time in a zone."""
    if zone.is_utc:
        return lambda time: time[:10]

    @lru_cache(_MOST_DAYS)
    def parts(utc_day: str) -> list[tuple[str, str]]:
        return list(_parts(zone, utc_day))

    def day(time: str) -> str:
        clock = time[11:19]
        return next(local for since, local in parts(time[:10]) if clock >= since)

    return day


def day_begins(zone: TimeZone, day: date) -> datetime:
    """The first moment of a day in a zone, in UTC; of the next day, if a change of the zone left this one out."""
    midnight = (day.toordinal() - _FIRST_DAY) * _DAY  # as if in UTC
    number = bisect_right(zone.changes, midnight - 2 * _DAY)
    while True:
        begins = midnight - zone.offsets[number]
        if number > 0:  # the day may have begun with the change itself
            begins = max(begins, zone.changes[number - 1])
        if number == len(zone.changes) or begins < zone.changes[number]:
            return _moment(begins)
        number += 1


def _moment(second: int) -> datetime:
    return _BEGIN + timedelta(seconds=second)


def _parts(zone: TimeZone, utc_day: str) -> Iterator[tuple[str, str]]:
    """The parts of a day in UTC that are in one day of the zone, the last first: from which second on, which day."""
    begin = (date.fromisoformat(utc_day).toordinal() - _FIRST_DAY) * _DAY
    first, last = bisect_right(zone.changes, begin), bisect_right(zone.changes, begin + _DAY - 1)
    midnights = [begin + -offset % _DAY for offset in zone.offsets[first : last + 1]]
    for second in sorted({begin, *zone.changes[first:last], *midnights}, reverse=True):
        offset = zone.offsets[bisect_right(zone.changes, second)]
        local = date.fromordinal((second + offset) // _DAY + _FIRST_DAY)
        yield f"{_moment(second):%H:%M:%S}", local.isoformat()
