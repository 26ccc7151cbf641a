"""Shows events to a person: everything about them, their bodies apart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from ingest.log.table import erasures, event_log, event_redelivery


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event without its body, of which only the size in bytes is told: null once it was erased.

    What the table requires may be null too where it was tampered with, and that is when a person wants to see it.
    """

    source: str
    position: int
    received_at: datetime
    event_type: str | None
    subject: str | None
    size: int | None
    redeliveries: int
    last_redelivery_at: datetime | None
    digest: bytes | None
    signature: str | None
    chain: bytes | None


def events_between(
    connection: Connection, source: str, first: int, last: int, equal: Mapping[str, str], limit: int
) -> Iterator[LoggedEvent]:
    """Up to `limit` events from position `first` to `last`, in order. `equal`: event_type or subject they must have."""
    log = event_log.c
    wanted = _entries().where(log.source == source, log.position.between(first, last))
    for column, value in equal.items():
        wanted = wanted.where(log[column] == value)
    with connection.execution_options(yield_per=500).execute(wanted.order_by(log.position).limit(limit)) as found:
        yield from (LoggedEvent(*row) for row in found)


def at(connection: Connection, source: str, position: int) -> list[tuple[LoggedEvent, bytes | None]]:
    """The event at a position with its exact body, null if that is gone. A damaged log may have none, or more."""
    log = event_log.c
    wanted = _entries().add_columns(log.body).where(log.source == source, log.position == position)
    return [(LoggedEvent(*row[:-1]), row[-1]) for row in connection.execute(wanted)]


def erased_at(connection: Connection, one: LoggedEvent) -> datetime | None:
    """When the erasure was that names this event; null if none does."""
    named = (erasures.c.subject == one.subject) & erasures.c.digests.any(one.digest)
    return connection.execute(
        select(func.min(erasures.c.erased_at)).where(erasures.c.source == one.source, named)
    ).scalar()


def _entries() -> Select[Any]:
    log, again = event_log.c, event_redelivery.c
    return select(
        log.source,
        log.position,
        log.received_at,
        log.event_type,
        log.subject,
        func.octet_length(log.body),
        func.coalesce(again.redeliveries, 0),
        again.last_at,
        log.digest,
        log.signature,
        log.chain,
    ).join_from(
        event_log, event_redelivery, (again.source == log.source) & (again.position == log.position), isouter=True
    )
