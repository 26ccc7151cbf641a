"""Copies the log of a source to another database, in batches, which `copy_events` there proves and writes."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine, text

from ingest.database import driver_connection
from ingest.sqlstate import lacks_erasure

_MOST_AT_ONCE = 1_000  # events
_BYTES_AT_ONCE = 4_194_304  # of bodies
_NEXT = b"""
select received_at, event_type, subject, digest, body, signature, chain
from (
  select nearest.*, sum(coalesce(octet_length(body), 0)) over (order by position) as bytes
  from (
    select e.position, e.received_at, e.event_type, e.subject, e.digest, e.body, e.signature, e.chain
    from event_log e
    where e.source = %(source)s and e.position > %(after)s
    order by e.position
    limit %(limit)s
  ) nearest
) sized
where bytes - coalesce(octet_length(body), 0) < %(most)s
order by position
"""
_WRITE = b"""
select copy_events(
  %b, %b, %b, %b::timestamptz[], %b::text[], %b::text[], %b::bytea[], %b::bytea[], %b::text[], %b::bytea[]
)
"""
_CHAIN_AT = text("select e.chain from event_log e where e.source = :source and e.position = :position")
_COUNT = text("select count(*) from event_log e where e.source = :source and e.position <= :position")

_Rows = Sequence[tuple[Any, ...]]


def copy_log(
    old: Engine,
    new: Engine,
    source: str,
    move_id: UUID,
    head: int,
    take_erasures: Callable[[], None],
    advance: Callable[[int], None],
) -> int:
    """Copy what follows the position where the log ends in the new database; gives where it ends then.

    A batch may be the first to show that somebody was erased meanwhile: `take_erasures` copies the erasures. `advance`
    gets the number of events copied each time. Both engines are in the operator's role.
    """
    while rows := _next(old, source, head):
        try:
            reached = _write(new, source, move_id, head, rows)
        except psycopg.Error as error:
            if not lacks_erasure(error):
                raise
            take_erasures()
            reached = _write(new, source, move_id, head, rows)
        advance(reached - head)
        head = reached
    return head


def chain_at(engine: Engine, source: str, position: int) -> bytes | None:
    """The chain value of the event at a position; None if there is no such event."""
    with engine.connect() as connection:
        chain: bytes | None = connection.execute(_CHAIN_AT, {"source": source, "position": position}).scalar()
    return chain


def events_to(engine: Engine, source: str, position: int) -> int:
    """How many events the log of a source has up to a position."""
    with engine.connect() as connection:
        events: int = connection.execute(_COUNT, {"source": source, "position": position}).scalar_one()
    return events


def _next(old: Engine, source: str, after: int) -> _Rows:
    values = {"source": source, "after": after, "limit": _MOST_AT_ONCE, "most": _BYTES_AT_ONCE}
    with old.begin() as connection:
        return driver_connection(connection).cursor(binary=True).execute(_NEXT, values).fetchall()


def _write(new: Engine, source: str, move_id: UUID, head: int, rows: _Rows) -> int:
    arrays = [[*values] for values in zip(*rows, strict=True)]
    with new.begin() as connection:
        cursor = driver_connection(connection).cursor(binary=True)
        [reached] = cursor.execute(_WRITE, (source, move_id, head, *arrays)).fetchone() or [head]
    return int(reached)
