"""Reads the log: the next events after a checkpoint, and how far each source has come. Appending is `append`'s."""

from collections.abc import Sequence

from sqlalchemy import Connection, exists, func, select, text

from ingest.log.event import Event
from ingest.log.table import event_log

MOST_BYTES = 16_777_216  # of bodies in one batch, so that a thousand large ones do not fill the memory

_HEADS = text("""
with recursive sources as (
  (select source from event_log order by source limit 1)
  union all
  select (select e.source from event_log e where e.source > s.source order by e.source limit 1)
  from sources s
  where s.source is not null
)
select s.source, h.position
from sources s
cross join lateral (
  select e.position from event_log e where e.source = s.source order by e.position desc limit 1
) h
order by s.source
""")


class HoleInLog(Exception):
    """A position is missing from the log, which only damage can cause. Nothing past it is read."""

    def __init__(self, source: str, missing: int) -> None:
        super().__init__(f"the log of {source} has no position {missing}: it was damaged; restore it from a backup")


def read_after(connection: Connection, source: str, position: int, limit: int) -> Sequence[Event]:
    """Up to `limit` events that follow a position, in order; fewer if their bodies are large, none at the head.

    What was seen is final: positions become visible in their own order, so nothing can appear behind a reader.
    """
    log = event_log.c
    nearest = (
        select(log.source, log.position, log.received_at, log.event_type, log.subject, log.body)
        .where(log.source == source, log.position > position)
        .order_by(log.position)
        .limit(limit)
        .subquery()
    )
    size = func.coalesce(func.octet_length(nearest.c.body), 0)
    before = (func.sum(size).over(order_by=nearest.c.position) - size).label("bytes_before")
    sized = select(nearest, before).subquery()
    wanted = select(*(sized.c[column.key] for column in nearest.c)).where(sized.c.bytes_before < MOST_BYTES)
    events = [Event(*row) for row in connection.execute(wanted.order_by(sized.c.position))]
    for expected, event in enumerate(events, position + 1):
        if event.position != expected:
            raise HoleInLog(source, expected)
    return events


def heads(connection: Connection) -> dict[str, int]:
    """The last position of every source that has an event, by one index probe a source."""
    return {row.source: row.position for row in connection.execute(_HEADS)}


def holds_any(connection: Connection, source: str, digests: Sequence[bytes]) -> bool:
    """Whether a delivery with one of these SHA-256 is in the log of a source."""
    mine = (event_log.c.source == source) & event_log.c.digest.in_(digests)
    return connection.execute(select(exists().where(mine))).scalar_one()
