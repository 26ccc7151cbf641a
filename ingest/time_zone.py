"""Reads a time zone by its IANA name from the package tzdata: which offsets it has had, and will have. Pure.

The zone's rules are those of the pinned package, never those of the machine or of PostgreSQL, so that a day is the same
day on every host.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files

# Outside of these years a zone keeps the offset that it has at their beginning and at their end.
_BEGIN = int(datetime(1970, 1, 1, tzinfo=UTC).timestamp())
_END = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
_STEP = 5 * 86_400  # seconds between two looks; the shortest time between two changes since 1970 is nearly a week


@dataclass(frozen=True, slots=True)
class TimeZone:
    """A zone by what it means. `changes`: the seconds since 1970 in UTC from which another offset holds.

    `offsets`: in seconds, east of UTC positive: the first holds before the first change, the next one from there.
    """

    name: str
    changes: tuple[int, ...] = ()
    offsets: tuple[int, ...] = (0,)

    @property
    def is_utc(self) -> bool:
        return not self.changes and self.offsets[0] == 0


UTC_ZONE = TimeZone("UTC")


class UnknownTimeZone(Exception):
    """There is no time zone of this name; the message says what there is, and does not show the name."""


@lru_cache
def time_zone(name: str) -> TimeZone:
    """The zone of this name. Raises `UnknownTimeZone`."""
    if name == UTC_ZONE.name:
        return UTC_ZONE
    names = files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    if name not in names:
        raise UnknownTimeZone(_unknown(name, names))
    return TimeZone(name, *_meaning(name))


def _unknown(name: str, names: Sequence[str]) -> str:
    folded = {known.casefold(): known for known in names}
    close = difflib.get_close_matches(name.casefold().replace(" ", "_"), folded, n=1)
    meant = f"; did you mean {folded[close[0]]}?" if close else ""
    return f"is no time zone of the IANA database, such as Europe/Athens, America/Denver or UTC{meant}"


def _meaning(name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The changes and the offsets of a zone, found by looking at it again and again."""
    from zoneinfo import ZoneInfo  # only a zone other than UTC needs it

    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        zone = ZoneInfo.from_file(file, name)

    def offset_at(second: int) -> int:
        offset = datetime.fromtimestamp(second, zone).utcoffset()
        assert offset is not None  # noqa: S101 - of a time in a zone
        return int(offset.total_seconds())

    changes: list[int] = []
    offsets = [offset_at(_BEGIN)]
    for second in range(_BEGIN, _END, _STEP):
        offset = offset_at(second + _STEP)
        if offset == offsets[-1]:
            continue
        before, after = second, second + _STEP
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if offset_at(middle) == offsets[-1] else (before, middle)
        changes.append(after)
        offsets.append(offset)
    return tuple(changes), tuple(offsets)
