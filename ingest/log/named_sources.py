"""Which sources figures name where there are too many for all: the worst of each kind of trouble, then the largest."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from sqlalchemy import Connection, text

from ingest.log.whereabouts import ELSEWHERE
from ingest.metrics import MOST_NAMED_SOURCES, OTHER_SOURCES

Ranks = Callable[[Connection, int], Iterable[tuple[int, str]]]
"""Gives, of each kind of trouble, up to so many sources with their places in it: 1 for the worst."""

_LARGEST = text("""
with known (source, head) as (
  select s.source, s.head from source s
  union all
  select v.source, 0 from verification v
  union all
  select distinct r.source, 0 from refused_delivery r where r.source <> '' and r.hour > now() - interval '8 days'
)
select k.source from known k group by k.source order by max(k.head) desc, k.source limit :most
""")
# Each kind in the order of its places. What passes by itself within seconds is none: names that come and go would be
# as many series in a time series database as there are sources.
_TROUBLES = text(f"""
with damaged as (
  select v.source, row_number() over (order by v.problems desc, v.source) as place
  from verification v
  where v.problems > 0
),
unverified as (
  select s.source, row_number() over (order by v.finished_at nulls first, s.source) as place
  from source s
  left join verification v on v.source = s.source
  where v.source is null or v.finished_at < now() - interval '7 days'
),
refusing as (
  select r.source, row_number() over (order by sum(r.run) desc, r.source) as place
  from refused_delivery r
  left join lateral (
    select e.received_at from event_log e where e.source = r.source order by e.position desc limit 1
  ) stored on true
  where r.hour > now() - interval '8 days' and r.source <> '' and r.reason <> 'unavailable'
    and r.last_at > coalesce(stored.received_at, '-infinity') and r.source not in ({ELSEWHERE})
  group by r.source
  having sum(r.run) > 0
),
compared as (
  select r.source, sum(r.missing + r.stale + r.unlisted) as drift, max(r.recorded_at) as recorded_at
  from reconciliation r
  where r.until_position is null and r.source not in ({ELSEWHERE})
  group by r.source
),
drifting as (
  select c.source, row_number() over (order by c.drift desc, c.source) as place from compared c where c.drift > 0
),
not_compared as (
  select c.source, row_number() over (order by c.recorded_at, c.source) as place
  from compared c
  where c.recorded_at < now() - interval '7 days'
)
select d.place, d.source from damaged d where d.place <= :most
union all
select u.place, u.source from unverified u where u.place <= :most
union all
select r.place, r.source from refusing r where r.place <= :most
union all
select d.place, d.source from drifting d where d.place <= :most
union all
select n.place, n.source from not_compared n where n.place <= :most
""")  # noqa: S608 - of our own SQL alone


@dataclass(frozen=True, slots=True)
class NamedSources:
    """The sources that have their names in figures, the worst first; None if every source has."""

    names: Sequence[str] | None = None

    @property
    def binds(self) -> dict[str, Sequence[str] | None]:
        return {"named": self.names}


EVERY_SOURCE = NamedSources()


def label_of(column: str) -> str:
    """SQL of the label of a source, of a column; its binds are those of `NamedSources`."""
    named = "cast(:named as text[])"
    return f"case when {named} is null or {column} = any ({named}) then {column} else '{OTHER_SOURCES}' end"


def troubles_of_log(connection: Connection, most: int) -> list[tuple[int, str]]:
    """The sources whose log is damaged or not verified, all of whose deliveries are refused, whose roster drifts."""
    return [(row.place, row.source) for row in connection.execute(_TROUBLES, {"most": most})]


def named_sources(connection: Connection, ranks: Sequence[Ranks], most: int = MOST_NAMED_SOURCES) -> NamedSources:
    """All sources if they are `most` or fewer; else the worst of each kind of trouble in turn, and the largest."""
    largest = list(connection.execute(_LARGEST, {"most": most + 1}).scalars())
    if len(largest) <= most:
        return EVERY_SOURCE
    places = [*(place for rank in ranks for place in rank(connection, most)), *enumerate(largest, 1)]
    worst_first = dict.fromkeys(source for _, source in sorted(places, key=itemgetter(0)))
    return NamedSources([*worst_first][:most])
