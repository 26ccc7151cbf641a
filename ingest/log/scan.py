"""Reads a whole log for a rebuild: first the subjects that have one event, then the others, subject by subject.

So a reader keeps nothing of a participant once it has gone on to the next, and most events need no sorting. Withheld
events come without their bodies. Both parts must be read in one snapshot: a delivery that arrived between them would
move its subject from the one part to the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, text

from ingest.log.event import Event
from ingest.log.read import HoleInLog

_SEVERAL = """
with several as materialized (
  select subject from event_log where source = %(source)s and subject is not null
  group by subject having count(*) > 1 {share}
)
"""
_SHARE = "and abs(hashtext(subject)::bigint) %% %(shares)s = %(share)s"
_EVENT = """
select e.source, e.position, e.received_at::text, e.event_type, e.subject, e.body, e.is_own
from readable_log e
"""
_SINGLE_EVENTS = f"""
{_SEVERAL.format(share="")} {_EVENT}
where e.source = %(source)s and e.position between %(first)s and %(last)s
  and not exists (select from several s where s.subject = e.subject)
"""
_BY_SUBJECT = f"""
{_SEVERAL.format(share=_SHARE)} {_EVENT}
join several s on s.subject = e.subject
where e.source = %(source)s and e.position <= %(last)s
order by e.subject, e.position
"""

# Else a cursor is planned for its first rows alone. The time between two fetches has no limit.
_SETTINGS = "set cursor_tuple_fraction = 1; set idle_in_transaction_session_timeout = 0; set work_mem = '64MB'"
_MOST_AT_A_TIME = 500  # events
_BYTES_AT_A_TIME = 8_000_000  # of bodies, estimated from the rows fetched before

_COUNT = text("select count(*) from event_log where source = :source and position <= :last")
_MISSING = text("""
select min(n)
from generate_series(1, :last) as n
where not exists (select from event_log e where e.source = :source and e.position = n)
""")


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a source's log up to position `last`: number 0, 1, ... of the `shares` that make up all of it."""

    source: str
    last: int
    number: int
    shares: int


@contextmanager
def snapshot(connection: psycopg.Connection[Any], exported: str | None = None) -> Iterator[str]:
    """Read in one snapshot for the block: a new one, or the one that another connection exported. Gives its name.

    With several readers, the first keeps its block open until the others have entered theirs.
    """
    connection.execute(_SETTINGS)
    connection.commit()
    connection.execute("set transaction isolation level repeatable read")
    if exported is None:
        row = connection.execute("select pg_export_snapshot()").fetchone()
        exported = str(row[0]) if row else ""
    else:
        connection.execute(sql.SQL("set transaction snapshot {}").format(exported))
    try:
        yield exported
    finally:
        with suppress(psycopg.OperationalError):  # the connection is lost, and its error is being raised already
            connection.rollback()


def single_events(connection: psycopg.Connection[Any], share: Share) -> Iterator[list[Event]]:
    """The share's events whose subject has no other event or is None, in batches. Call it within `snapshot`."""
    first = share.last * share.number // share.shares + 1
    last = share.last * (share.number + 1) // share.shares
    return _events(connection, _SINGLE_EVENTS, {"source": share.source, "first": first, "last": last})


def by_subject(connection: psycopg.Connection[Any], share: Share) -> Iterator[list[Event]]:
    """The share's other events, subject by subject, each in the log's order, in batches. Call it within `snapshot`."""
    values = {"source": share.source, "last": share.last, "share": share.number, "shares": share.shares}
    return _events(connection, _BY_SUBJECT, values)


def check_whole(connection: Connection, source: str, last: int) -> None:
    """Raise `HoleInLog` unless the log has every position up to `last`."""
    values = {"source": source, "last": last}
    if connection.execute(_COUNT, values).scalar_one() != last:
        raise HoleInLog(source, connection.execute(_MISSING, values).scalar_one() or last)


def _events(connection: psycopg.Connection[Any], statement: str, values: dict[str, Any]) -> Iterator[list[Event]]:
    with connection.cursor("scan", binary=True) as cursor:
        cursor.execute(statement.encode(), values)
        number = _MOST_AT_A_TIME
        while rows := cursor.fetchmany(number):
            yield list(map(Event._make, rows))
            size = sum(len(row[5]) for row in rows if row[5] is not None) // len(rows)
            number = max(1, min(_MOST_AT_A_TIME, _BYTES_AT_A_TIME // max(size, 1)))
