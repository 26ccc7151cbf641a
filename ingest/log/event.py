"""The log's data: the delivery handed in, the receipt, the event read back, the erasure. No database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID


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
    """What became of a delivery: its event's position (1, 2, 3 ... in its source), and whether this POST stored it."""

    position: int
    stored: bool


class Event(NamedTuple):
    """An event as projections may read it. `body` is None if it was erased or an erasure of its subject is in force.

    `received_at` is text as PostgreSQL writes it, in UTC. `is_own`: rosterlog itself wrote it, without a signature; the
    type alone does not say so. (A tuple, as a rebuild makes one per event.)
    """

    source: str
    position: int
    received_at: str
    event_type: str | None
    subject: str | None
    body: bytes | None
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Erasure:
    """The participant whose events were erased, who asked and why. The digests identify the events at any position.

    `subject` is the participant's id, which the log keeps too. An erasure holds nothing else about the person.
    """

    source: str
    erasure_id: UUID
    subject: str
    operator: str
    reason: str
    erased_at: datetime
    positions: Sequence[int]
    digests: Sequence[bytes]
    lifted_at: datetime | None
    lifted_by: str | None
