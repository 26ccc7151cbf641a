"""In which zone the days of a race are, when it starts, which was its previous edition; and days in a zone. Pure."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from ingest.time_zone import UTC_ZONE, TimeZone

_DAY = 86_400  # seconds
_FIRST_DAY = date(1970, 1, 1).toordinal()
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_DAYS = 4_096  # of a zone that are remembered: eleven years of registrations

_Parts = Callable[[str], Iterable[tuple[str, str]]]


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
        """The function that gives the day of a time in the zone of a race, by the race's id; "" for none.

        Both are texts, the time in UTC, as `2026-05-01T09:30:00Z` or as PostgreSQL writes it.
        """
        if self.is_utc:
            return lambda _event_id, time: time[:10]
        others = _parts_in(self.time_zone)
        by_race = {race.event_id: _parts_in(race.time_zone) for race in self.races}

        def day(event_id: str, time: str) -> str:
            clock = time[11:19]
            for since, local in by_race.get(event_id, others)(time[:10]):
                if clock >= since:
                    return local
            raise ValueError("not a time")  # the first part begins at midnight

        return day

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


def _parts_in(zone: TimeZone) -> _Parts:
    """The function that gives the parts of a day in UTC that are in one day of the zone, the last first.

    Each is the clock of its beginning, and the day of the zone.
    """

    @lru_cache(_MOST_DAYS)
    def parts(utc_day: str) -> tuple[tuple[str, str], ...]:
        begin = (date.fromisoformat(utc_day).toordinal() - _FIRST_DAY) * _DAY
        first, last = bisect_right(zone.changes, begin), bisect_right(zone.changes, begin + _DAY - 1)
        midnights = [begin + -offset % _DAY for offset in zone.offsets[first : last + 1]]
        seconds = sorted({begin, *zone.changes[first:last], *midnights}, reverse=True)
        return tuple((f"{_moment(second):%H:%M:%S}", _local(zone, second)) for second in seconds)

    return parts


def _local(zone: TimeZone, second: int) -> str:
    offset = zone.offsets[bisect_right(zone.changes, second)]
    return date.fromordinal((second + offset) // _DAY + _FIRST_DAY).isoformat()
