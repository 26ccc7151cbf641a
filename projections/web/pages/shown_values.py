"""How values are shown on pages: texts, numbers, days and times."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup
from pydantic_core import to_json

from projections.roster.values import moment

EMPTY = "—"
_NOW_SECONDS = 5  # that are called "just now"
_SHORT = 30  # characters that fit into a column
_FIRST_OF_OTHER_DIRECTION = "\u0590"  # below it all letters are written from left to right
_TO_THE_SECOND = len("2026-05-01T09:30:00")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # in every locale


def shown(value: object) -> object:
    """A value as a cell shows it: a dash where there is none."""
    if value is None or value == "":
        return EMPTY
    if isinstance(value, Mapping | list):
        return to_json(value).decode()
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def needs_no_span(value: object) -> bool:
    """Whether a value needs neither a direction of its own nor places to be broken. Most need none: pages are short."""
    return not isinstance(value, str) or (
        len(value) <= _SHORT and (value.isascii() or max(value) < _FIRST_OF_OTHER_DIRECTION)
    )


def shown_number(value: int) -> str:
    return f"{value:,}"


def shown_time(value: datetime | str, zone: str = "UTC") -> str:
    """A time in a zone, as `3 Jan 2026, 14:02`."""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    local = time.astimezone(ZoneInfo(zone))
    return f"{shown_day(local)}, {local.hour:02}:{local.minute:02}"


def exact_time(value: datetime | str) -> str:
    """A time for programs, to the second: in a page that has it a hundred times it is short."""
    text = value if isinstance(value, str) else value.astimezone(UTC).isoformat()
    return f"{text[:_TO_THE_SECOND]}Z"


def past_in_words(as_of: str, position: int, zone: str) -> Markup | str:
    """When it was that the roster is shown of. `as_of`: a day, a time or a position, as it was asked for."""
    asked, at = moment(as_of), f"at position {position:,}"
    if not isinstance(asked, datetime):
        return at
    if asked.tzinfo is None:
        return f"when {shown_day(asked)} began, {at}"
    return Markup('on <time datetime="{}">{}</time>, {}').format(exact_time(asked), shown_time(asked, zone), at)


def shown_day(value: date) -> str:
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def day_in_zone(value: datetime, zone: str) -> str:
    """The day of a time in a zone."""
    return shown_day(value.astimezone(ZoneInfo(zone)))


def weekday_and_time(value: datetime, zone: str = "UTC") -> str:
    """A time of these days in a zone, as `Friday 14:02`."""
    return f"{value.astimezone(ZoneInfo(zone)):%A %H:%M}"


def time_ago(value: datetime | str, now: datetime) -> str:
    """How long ago a time was, as `3 minutes ago`."""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    seconds = max(0, round((now - time).total_seconds()))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= max(size, _NOW_SECONDS):
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
