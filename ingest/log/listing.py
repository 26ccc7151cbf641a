"""Shows events to a person: everything about them but their bodies, and one body when it is asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from ingest.log.table import erasures, event_log, event_redelivery


@dataclass(frozen=True, slots=True)
class Entry:
    """An event without its body, of which only the size in bytes is told: null once it was erased."""

    source: str
    position: int
    received_at: datetime
    event_type: str | None
    subject: str | None
    size: int | None
    redeliveries: int
    last_redelivery_at: datetime | None
    digest: bytes
    signature: str
    chain: bytes


def listed(
    connection: Connection, source: str, first: int, last: int, equal: Mapping[str, str], limit: int
) -> Iterator[Entry]:
    """Up to `limit` events from position `first` to `last`, in order. `equal`: event_type or subject they must have."""
    log = event_log.c
    wanted = _entries().where(log.source == source, log.position.between(first, last))
    for column, value in equal.items():
        wanted = wanted.where(log[column] == value)
    with connection.execution_options(yield_per=500).execute(wanted.order_by(log.position).limit(limit)) as found:
        yield from (Entry(*row) for row in found)


def entry(connection: Connection, source: str, position: int) -> Entry | None:
    """The event at a position, if there is one."""
    log = event_log.c
    row = connection.execute(_entries().where(log.source == source, log.position == position)).one_or_none()
    return None if row is None else Entry(*row)


def body(connection: Connection, source: str, position: int) -> bytes | None:
    """The exact bytes of a delivery; null if they were erased."""
    log = event_log.c
    found: bytes | None = connection.execute(
        select(log.body).where(log.source == source, log.position == position)
    ).scalar_one()
    return found


def erased_at(connection: Connection, one: Entry) -> datetime | None:
    """When the erasure was that names this event; null if none does."""
    named = erasures.c.digests.any(one.digest)
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
