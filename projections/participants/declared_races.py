"""Reads what the file of `ROSTERLOG_FIELDS` says of races, such as `[events."501"]`: zone, start, edition. Pure."""

import re
from collections.abc import Mapping
from datetime import date

from ingest.delivery import identifier
from ingest.time_zone import TimeZone, UnknownTimeZone, time_zone
from projections.folding.calendar import RaceDates

EVENTS = "events"  # the name of the table in the file
_KEYS = ("time_zone", "starts_on", "previous")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class WrongRaces(Exception):
    """What the file says of races cannot be used; the message says what is wrong."""


def read_races(table: object, of_others: TimeZone) -> tuple[RaceDates, ...]:
    """The races of the file's table of events, in the order of their ids. Raises `WrongRaces`.

    `of_others`: the zone of a race for which the file names none.
    """
    if not isinstance(table, dict):
        raise WrongRaces(f'{EVENTS} takes tables such as [{EVENTS}."501"]')
    races = tuple(_race(event_id, entry, of_others) for event_id, entry in sorted(table.items()))
    _refuse_circles({race.event_id: race.previous for race in races})
    return races


def _race(event_id: str, entry: object, of_others: TimeZone) -> RaceDates:
    where = f"[{EVENTS}.{event_id!r}]"
    if identifier(event_id) is None:
        raise WrongRaces(f"{where} has no usable id of an event")
    if not isinstance(entry, dict):
        raise WrongRaces(f"{where} has to be a table, with any of {', '.join(_KEYS)}")
    unknown = sorted(set(entry) - set(_KEYS))
    if unknown:
        raise WrongRaces(f"{where} has {unknown[0]!r}; it takes {', '.join(_KEYS)}")
    zone = _zone(where, entry["time_zone"]) if "time_zone" in entry else of_others
    return RaceDates(event_id, zone, _starts_on(where, entry), _previous(where, entry))


def _zone(where: str, name: object) -> TimeZone:
    try:
        return time_zone(name if isinstance(name, str) else "")
    except UnknownTimeZone as error:
        raise WrongRaces(f"{where} time_zone {error}") from None


def _starts_on(where: str, entry: Mapping[str, object]) -> date | None:
    value = entry.get("starts_on")
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            value = ""
    if value is None or type(value) is date:  # a time is a date of Python's, too
        return value
    raise WrongRaces(f"{where} starts_on takes a date such as 2026-05-31")


def _previous(where: str, entry: Mapping[str, object]) -> str | None:
    value = entry.get("previous")
    if value is None or (isinstance(value, str) and identifier(value) is not None):
        return value
    raise WrongRaces(f'{where} previous takes the id of an event as a text, such as "431"')


def _refuse_circles(previous: Mapping[str, str | None]) -> None:
    looked_at: set[str] = set()
    for event_id in previous:
        way = [event_id]
        while (earlier := previous.get(way[-1])) is not None and earlier not in looked_at:
            if earlier in way:
                circle = " > ".join(map(repr, [*way[way.index(earlier) :], earlier]))
                raise WrongRaces(f"an event cannot be its own edition of before, as previous says here: {circle}")
            way.append(earlier)
        looked_at.update(way)
