"""How long to wait before a request: as long as the server asks for, and longer after each failure. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_FIRST_WAIT = 0.5  # seconds, doubled each time


def growing_wait(attempt: int, longest: float) -> float:
    """Seconds after the failed attempt of this number: 1, 2, 3 ..."""
    return float(min(longest, _FIRST_WAIT * 2 ** min(attempt - 1, 30)))


def asked_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that `Retry-After` asks for; None if it does not. A time is meant by the server's own clock."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    moment = http_date(said)
    if moment is None:
        return None
    return max(0.0, (moment - (http_date(headers.get("date", "")) or now)).total_seconds())


def http_date(text: str) -> datetime | None:
    """A time as HTTP writes it; None for anything else."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
