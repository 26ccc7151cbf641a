"""Reads the log: the next events after a checkpoint, and the head of each source. `append` writes it."""

from collections.abc import Iterable, Mapping, Sequence

import psycopg
from sqlalchemy import Connection, Text, cast, exists, null, select, text

from ingest.failures import Failure
from ingest.log.event import Event
from ingest.log.table import event_log, readable_log

MOST_BYTES = 4_194_304  # of bodies per batch, so that large ones neither fill the memory nor take long

_IN_LOG = text("select l.source from sources_in_log() l")
_SOURCES = text("select s.source from source s order by s.source")
# The log's own end: what its end should be stands in `source`.
_HEADS = text("""
select s.source, h.position
from source s
cross join lateral (
  select e.position from event_log e where e.source = s.source order by e.position desc limit 1
) h
order by s.source
""")
_HEAD_OF = text("select e.position from event_log e where e.source = :source order by e.position desc limit 1")
_EVENT = "e.source, e.position, e.received_at::text as received_at, e.event_type, e.subject, e.body, e.is_own"
_NEAREST = f"""
select source, position, received_at, event_type, subject, body, is_own
from (
  select nearest.*, sum(coalesce(octet_length(body), 0)) over (order by position) as bytes
  from (
    select {_EVENT}
    from readable_log e
    where e.source = %(source)s and {{condition}}
    order by e.position
    limit %(limit)s
  ) nearest
) sized
where bytes - coalesce(octet_length(body), 0) < %(most)s
order by position
"""  # noqa: S608 - the texts of this file
_AFTER_EACH = f"""
select source, position, received_at, event_type, subject, body, is_own
from (
  select nearest.*, sum(coalesce(octet_length(body), 0)) over (order by nearest.source, nearest.position) as bytes
  from unnest(%(sources)s::text[], %(positions)s::bigint[]) as wanted (source, position)
  cross join lateral (
    select {_EVENT}
    from readable_log e
    where e.source = wanted.source and e.position > wanted.position
    order by e.position
    limit %(limit)s
  ) nearest
) sized
where bytes - coalesce(octet_length(body), 0) < %(most)s
order by source, position
"""  # noqa: S608 - the texts of this file
_AFTER = _NEAREST.format(condition="e.position > %(position)s")
_OF_SUBJECT = _NEAREST.format(
    condition="e.subject = %(subject)s and e.position > %(position)s and e.position <= %(last)s"
)
_AT = f"""
select {_EVENT}
from unnest(%(positions)s::bigint[]) as wanted (position)
join readable_log e on e.source = %(source)s and e.position = wanted.position
where octet_length(e.body) <= %(longest)s
"""  # noqa: S608
_ERASURES = text("select source, subject, xmin::text || ctid::text from erasures order by source, subject, erasure_id")


class HoleInLog(Failure):
    """A position is missing from the log, which only damage can cause. No event after it is read."""

    def __init__(self, source: str, missing: int) -> None:
        super().__init__(f"the log of {source} has no position {missing}: it was damaged; restore it from a backup")


def read_after(connection: Connection, source: str, position: int, limit: int) -> Sequence[Event]:
    """Up to `limit` events that follow a position, in order; fewer if their bodies are large, none at the head.

    Positions become visible in order, so no event can appear before one that was read.
    """
    events = _events(connection, _AFTER, {"source": source, "position": position, "limit": limit, "most": MOST_BYTES})
    _refuse_hole(source, position, events)
    return events


def read_after_each(connection: Connection, positions: Mapping[str, int], limit: int) -> dict[str, Sequence[Event]]:
    """By source up to `limit` events that follow its position, in order, and no source of which there are none.

    Fewer if the bodies of all together are large: of some sources, of which there are more, none then.
    """
    binds = {"sources": [*positions], "positions": [*positions.values()], "limit": limit, "most": MOST_BYTES}
    following: dict[str, list[Event]] = {}
    for event in _events(connection, _AFTER_EACH, binds):
        following.setdefault(event.source, []).append(event)
    for source, events in following.items():
        _refuse_hole(source, positions[source], events)
    return {**following}


def _refuse_hole(source: str, position: int, events: Sequence[Event]) -> None:
    for expected, event in enumerate(events, position + 1):
        if event.position != expected:
            raise HoleInLog(source, expected)


def read_subject(
    connection: Connection, source: str, subject: str, position: int, last: int, limit: int
) -> Sequence[Event]:
    """Up to `limit` events about one participant after `position`, up to and including `last`, in order."""
    binds = {"source": source, "subject": subject, "position": position, "last": last}
    return _events(connection, _OF_SUBJECT, {**binds, "limit": limit, "most": MOST_BYTES})


def read_at(connection: Connection, source: str, positions: Iterable[int], longest: int) -> Sequence[Event]:
    """The events at some positions, in any order; without those whose bodies are longer than so many bytes."""
    binds = {"source": source, "positions": [*positions], "longest": longest}
    return _events(connection, _AT, binds)


def read_without_body(connection: Connection, source: str, position: int) -> Event | None:
    """The event at a position with None for its body, which is not read; None if there is no such event."""
    log = readable_log.c
    columns = select(log.source, log.position, cast(log.received_at, Text), log.event_type, log.subject, null())
    row = connection.execute(columns.where(log.source == source, log.position == position)).one_or_none()
    return None if row is None else Event(*row)


def _events(connection: Connection, statement: str, values: Mapping[str, object]) -> list[Event]:
    """By the driver alone, whose binary rows cost half of both programs' time."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - the driver of our engines
    return [*map(Event._make, driver.cursor(binary=True).execute(statement.encode(), values).fetchall())]


def heads(connection: Connection) -> dict[str, int]:
    """The head of every source that has an event, by one index probe per source."""
    return {row.source: row.position for row in connection.execute(_HEADS)}


def head_of(connection: Connection, source: str) -> int:
    """Where a source's log ends; 0 if it has no event."""
    head: int | None = connection.execute(_HEAD_OF, {"source": source}).scalar()
    return head or 0


def sources(connection: Connection) -> list[str]:
    """Every source that has an event."""
    return list(connection.execute(_SOURCES).scalars())


def every_source(connection: Connection) -> list[str]:
    """Every source that has an event, by the log itself, whatever its appends have noted."""
    return list(connection.execute(_IN_LOG).scalars())


def holds_any(connection: Connection, source: str, digests: Sequence[bytes]) -> bool:
    """Whether the log of a source has a delivery with one of these digests (SHA-256)."""
    stored = (event_log.c.source == source) & event_log.c.digest.in_(digests)
    return connection.execute(select(exists().where(stored))).scalar_one()


def erasure_marks(connection: Connection) -> dict[tuple[str, str], tuple[str, ...]]:
    """A mark per erasure, by source and subject; the mark changes whenever the erasure's row does.

    Writing down, lifting, taking over and carrying out an erasure each make a new version of its row.
    """
    marks: dict[tuple[str, str], tuple[str, ...]] = {}
    for source, subject, mark in connection.execute(_ERASURES):
        marks[source, subject] = (*marks.get((source, subject), ()), mark)
    return marks
