"""Lists events for a person to look at: every column, but the body only of a single event."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, literal, select

from ingest.log.table import erasures, event_log, event_redelivery


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event without its body. `size` is the body's in bytes; None if the body was erased.

    Columns that the table declares `not null` may be None as well: a log that was tampered with has to be shown.
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


@dataclass(frozen=True, slots=True)
class Extent:
    """Which events of a source are listed: from position `first` to `last`, and in which order.

    `equal`: their event_type or subject.
    """

    source: str
    first: int
    last: int
    equal: Mapping[str, str] = field(default_factory=dict)
    oldest_first: bool = False


def events_between(connection: Connection, extent: Extent, limit: int) -> Iterator[LoggedEvent]:
    """Up to `limit` events of an extent, in its order."""
    log = event_log.c
    query = _events().where(log.source == extent.source, log.position.between(extent.first, extent.last))
    for column, value in extent.equal.items():
        query = query.where(log[column] == value)
    order = log.position if extent.oldest_first else log.position.desc()
    with connection.execution_options(yield_per=500).execute(query.order_by(order).limit(limit)) as rows:
        yield from (LoggedEvent(*row) for row in rows)


def at(connection: Connection, source: str, position: int) -> list[tuple[LoggedEvent, bytes | None]]:
    """The event at a position with its exact body, None if erased. A damaged log may have none, or several."""
    log = event_log.c
    query = _events().add_columns(log.body).where(log.source == source, log.position == position)
    return [(LoggedEvent(*row[:-1]), row[-1]) for row in connection.execute(query)]


def erased_at(connection: Connection, event: LoggedEvent) -> datetime | None:
    """The time of the first erasure that names this event; None if none does."""
    named = literal(event.digest) == func.any(erasures.c.digests)
    if event.subject is not None:
        named &= erasures.c.subject == event.subject
    return connection.execute(
        select(func.min(erasures.c.erased_at)).where(erasures.c.source == event.source, named)
    ).scalar()


def _events() -> Select[Any]:
    log, redelivery = event_log.c, event_redelivery.c
    return select(
        log.source,
        log.position,
        log.received_at,
        log.event_type,
        log.subject,
        func.octet_length(log.body),
        func.coalesce(redelivery.redeliveries, 0),
        redelivery.last_at,
        log.digest,
        log.signature,
        log.chain,
    ).join_from(
        event_log,
        event_redelivery,
        (redelivery.source == log.source) & (redelivery.position == log.position),
        isouter=True,
    )
