"""How many deliveries were refused, by source, reason and hour: written by `count_refused`, read by operators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, DateTime, PrimaryKeyConstraint, Table, Text, text

from ingest.database import metadata
from ingest.log.append import Connection as AppendConnection

refused_delivery = Table(
    "refused_delivery",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("reason", Text(collation="C"), nullable=False),
    Column("hour", DateTime(timezone=True), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    Column("run", BigInteger, nullable=False),
    Column("run_since", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("source", "reason", "hour", name="refused_delivery_pkey"),
)

_COUNT = "select count_refused(%s, %s, %s, %s, %s)"


@dataclass(frozen=True, slots=True)
class Refused:
    """What was refused of a source lately. `by_reason`: in the last hour. `last_at`: when the last one was.

    `run`: how many were refused since the last stored delivery, `run_since`: since when, `run_reason`: mostly why; 0
    and None if the last delivery was stored. `unavailable_at`: when the last one was answered 503.
    """

    by_reason: Mapping[str, int]
    last_at: datetime | None
    run: int = 0
    run_since: datetime | None = None
    run_reason: str | None = None
    unavailable_at: datetime | None = None

    @property
    def last_hour(self) -> int:
        return sum(self.by_reason.values())


NOTHING_REFUSED = Refused({}, None)
# By source and reason. A delivery that could not be made durable says nothing about its sender: it is in no run.
# The sources are looked up in the table once more, since Citus joins the log with no other query's rows.
LATELY = """
with recent as (
  select r.source, r.reason, r.hour, r.count, r.last_at, r.run, r.run_since
  from refused_delivery r
  where r.hour > now() - interval '8 days'
),
counted as (
  select r.source, r.reason,
    (sum(r.count) filter (
      where r.hour >= date_trunc('hour', now(), 'UTC') - interval '1 hour' and r.last_at > now() - interval '1 hour'
    ))::bigint as last_hour,
    max(r.last_at) as last_at
  from recent r
  group by r.source, r.reason
),
stored as (
  select s.source, newest.received_at
  from (select distinct r.source from refused_delivery r where r.hour > now() - interval '8 days') s
  left join lateral (
    select e.received_at from event_log e where e.source = s.source order by e.position desc limit 1
  ) newest on true
),
running as (
  select r.source, r.reason, sum(r.run)::bigint as run, min(r.run_since) as run_since
  from recent r
  join stored s on s.source = r.source
  where r.reason <> 'unavailable' and r.last_at > coalesce(s.received_at, '-infinity')
  group by r.source, r.reason
)
select c.source, c.reason, coalesce(c.last_hour, 0) as count, c.last_at, running.run, running.run_since
from counted c
left join running on running.source = c.source and running.reason = c.reason
"""
_LATELY = text(f"{LATELY}order by c.source, running.run desc nulls last")


async def count_refused(
    connection: AppendConnection, numbers: Mapping[tuple[str, str, datetime], tuple[int, datetime]]
) -> None:
    """Add numbers by source, reason and hour, each with the time of the last one.

    In the same order by every server, so that no two of them wait for each other.
    """
    for (source, reason, hour), (number, last_at) in sorted(numbers.items()):
        await connection.execute(_COUNT, (source, reason, hour, number, last_at))


def refused_lately(connection: Connection) -> dict[str, Refused]:
    """What was refused in the last hour, and since the last stored delivery, by source.

    The hour is that of the clock and the one before it: the numbers are kept by hour. The empty text is the source of
    the unknown ones.
    """
    rows: dict[str, list[Any]] = {}
    for row in connection.execute(_LATELY):
        rows.setdefault(row.source, []).append(row)
    return {source: _refused(of_source) for source, of_source in rows.items()}


def _refused(rows: Sequence[Any]) -> Refused:
    running = [row for row in rows if row.run]
    return Refused(
        {row.reason: row.count for row in sorted(rows, key=attrgetter("reason")) if row.count},
        max(row.last_at for row in rows),
        sum(row.run for row in running),
        min((row.run_since for row in running), default=None),
        running[0].reason if running else None,
        max((row.last_at for row in rows if row.reason == "unavailable"), default=None),
    )
