"""Keys of the newest participants that no column reads, and columns that could not be read: names and numbers alone."""

from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sqlalchemy import Connection, text

NEWEST_READ = 200  # participants, without those whose object is large
MANY_HAVE = 10  # participants who have a key, before it is named: what few have could be a name of theirs
_MOST_NAMED = 50
# The objects are read by the newest positions, which have an index; a large one is not read.
_KEYS = text("""
with newest as materialized (
  select p.attributes, p.field_errors
  from (
    select p.attributes, p.field_errors
    from participants p
    where p.source = :source
    order by p.position desc
    limit :limit
  ) p
  where pg_column_size(p.attributes) <= 20000
)
select 'looked at' as kind, '' as name, count(*) as number from newest
union all
select 'key', k.key, count(*)
from newest n
cross join lateral jsonb_object_keys(n.attributes) as k (key)
where jsonb_typeof(n.attributes) = 'object'
group by k.key
union all
select 'column', c.name, count(*) from newest n cross join lateral jsonb_object_keys(n.field_errors) as c (name)
group by c.name
order by 3 desc, 2
""")


@dataclass(frozen=True, slots=True)
class NewestKeys:
    """Of a source. `unmapped`: keys that no column reads, with how many of the `looked_at` participants have them.

    `left_out`: how many such keys are not named. `unreadable`: columns, with how many values that did not convert.
    """

    source: str
    looked_at: int
    unmapped: list[tuple[str, int]]
    left_out: int
    unreadable: list[tuple[str, int]]


def newest_keys(connection: Connection, source: str, reads: AbstractSet[str]) -> NewestKeys:
    """What the newest participants of a source have that the columns do not. `reads`: the keys that the fold reads."""
    numbers: dict[str, Counter[str]] = {kind: Counter() for kind in ("looked at", "key", "column")}
    for kind, name, number in connection.execute(_KEYS, {"source": source, "limit": NEWEST_READ}):
        numbers[kind][name] = number
    unmapped = [(name, number) for name, number in numbers["key"].most_common() if name not in reads]
    named = [(name, number) for name, number in unmapped if number >= MANY_HAVE and name.isprintable()][:_MOST_NAMED]
    looked_at = numbers["looked at"][""]
    return NewestKeys(source, looked_at, named, len(unmapped) - len(named), numbers["column"].most_common())
