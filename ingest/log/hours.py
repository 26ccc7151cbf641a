"""How many deliveries of a source were stored, came again and were refused, in each of the last hours."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import BigInteger, Column, Connection, DateTime, PrimaryKeyConstraint, Table, Text, text

from ingest.database import metadata

LAST_HOURS = 24

redelivery_hour = Table(
    "redelivery_hour",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("hour", DateTime(timezone=True), nullable=False),
    Column("count", BigInteger, nullable=False),
    PrimaryKeyConstraint("source", "hour", name="redelivery_hour_pkey"),
)

# Stored ones by binary searches in the log, which has no index on time; so a log of any size takes as long.
_BY_HOUR = text("""
with hours as (
  select begins
  from generate_series(
    date_trunc('hour', now(), 'UTC') - make_interval(hours => :hours - 1), now(), interval '1 hour'
  ) as h (begins)
),
reached as materialized (
  select s.source, h.begins, position_at(s.source, h.begins) as position, head.position as head
  from unnest(cast(:sources as text[])) as s (source)
  cross join hours h
  left join lateral (
    select e.position from event_log e where e.source = s.source order by e.position desc limit 1
  ) head on true
),
arrived as (
  select r.source, r.begins, r.position,
    lead(r.position, 1, r.head) over (partition by r.source order by r.begins) as until
  from reached r
)
select r.source, r.begins,
  coalesce(r.until - r.position, 0) - own.events as stored,
  coalesce(again.count, 0) as redelivered
from arrived r
-- What rosterlog itself wrote is no delivery.
cross join lateral (
  select count(*) as events from event_log e
  where e.source = r.source and e.position > r.position and e.position <= r.until
    and starts_with(e.event_type, 'rosterlog.')
) own
left join redelivery_hour again on again.source = r.source and again.hour = r.begins
order by r.source, r.begins
""")
_REFUSED = text("""
select r.source, r.hour, r.reason, r.count as number
from refused_delivery r
where r.source = any (cast(:sources as text[]))
  and r.hour >= date_trunc('hour', now(), 'UTC') - make_interval(hours => :hours - 1)
order by r.source, r.hour, r.reason
""")


@dataclass(frozen=True, slots=True)
class HourOfDeliveries:
    """An hour of a source. `stored`: deliveries that are events now. `refused`: by reason."""

    begins: datetime
    stored: int
    redelivered: int
    refused: Mapping[str, int] = field(default_factory=dict)

    @property
    def refused_in_all(self) -> int:
        return sum(self.refused.values())

    @property
    def deliveries(self) -> int:
        return self.stored + self.redelivered + self.refused_in_all


def hours_of(connection: Connection, sources: Sequence[str]) -> dict[str, list[HourOfDeliveries]]:
    """The last 24 hours of each of these sources, the oldest first; the empty text stands for unknown sources."""
    refused: defaultdict[tuple[str, datetime], dict[str, int]] = defaultdict(dict)
    asked = {"hours": LAST_HOURS, "sources": list(sources)}
    for row in connection.execute(_REFUSED, asked):
        refused[row.source, row.hour][row.reason] = row.number
    hours: dict[str, list[HourOfDeliveries]] = {source: [] for source in sources}
    for row in connection.execute(_BY_HOUR, asked):
        of_hour = refused.get((row.source, row.begins), {})
        hours[row.source].append(HourOfDeliveries(row.begins, row.stored, row.redelivered, of_hour))
    return hours
