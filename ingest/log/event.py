"""The log's words: what is handed in, what the log answers, what is read back. Plain data, no database."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified POST, not yet in the log. `body` is the exact bytes, `signature` the header as received (hex)."""

    source: str
    body: bytes
    signature: str
    event_type: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery: its event's position (1, 2, 3 ... in its source), and whether this POST made it."""

    position: int
    stored: bool


@dataclass(frozen=True, slots=True)
class Event:
    """A delivery as recorded. `body` is null only once it was erased."""

    source: str
    position: int
    received_at: datetime
    event_type: str | None
    subject: str | None
    body: bytes | None
