"""Compares a new build with the live one, row by row, at the position that both have reached."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from projections.folding import checkpoint
from projections.folding.projection import Build, Projection
from projections.participants.keys import KEY_COLUMNS

MOST_EXAMPLES = 20
# `attributes` come from the event at the row's position, so that a difference shows in `position`; keys come from other
# columns, and another table of letters is no difference that a reader sees.
_NOT_COMPARED = ("source", "attributes", *KEY_COLUMNS)

_COMPARE = """
with reached as materialized (
  select * from unnest(cast(:sources as text[]), cast(:positions as bigint[])) as reached (source, position)
), differing as materialized (
  select
    coalesce(l.source, n.source) as source,
    {ids},
    case when l.source is null then 'added' when n.source is null then 'removed' else 'changed' end as kind,
    case when l.source is not null and n.source is not null then
      array_remove(array[{columns}], null)
    end as columns,
    coalesce(l.position, 0) <= r.position and coalesce(n.position, 0) <= r.position as is_reached
  from {live} l
  full join {new} n on n.source = l.source and {same}
  left join reached r on r.source = coalesce(l.source, n.source)
  where ({left}) is distinct from ({right})
), numbered as (
  select d.*, row_number() over (partition by kind order by source, {order}) as number from differing d where is_reached
)
select 'kind' as what, kind, null as source, null as id, null as columns, count(*) as number
from differing where is_reached group by kind
union all
select 'column', null, null, null, named, count(*)
from differing cross join unnest(columns) as named where is_reached group by named
union all
select 'later', null, null, null, null, count(*) from differing where is_reached is not true
union all
select 'example', kind, source, {id}, array_to_string(columns, ', '), number from numbered where number <= :most
order by 1, 2, 6
"""


@dataclass(frozen=True, slots=True)
class Example:
    """A row that differs. `kind`: added, removed or changed. `columns`: the changed columns, separated by commas."""

    kind: str
    source: str
    id: str
    columns: str


@dataclass(slots=True)
class TableDifference:
    """How the rows of one table differ.

    `columns`: by column, the number of changed rows. `later`: rows that differ by events past the position that
    both builds have reached; they are not counted otherwise. `examples`: the first `MOST_EXAMPLES` of each kind.
    """

    table: str
    added: int = 0
    removed: int = 0
    changed: int = 0
    columns: dict[str, int] = field(default_factory=dict)
    later: int = 0
    examples: list[Example] = field(default_factory=list)

    @property
    def is_any(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def compare(connection: Connection, projection: Projection, live: Build, new: Build) -> list[TableDifference]:
    """The differences of every compared table. The connection reads in one snapshot (repeatable read)."""
    before, after = checkpoint.positions(connection, live), checkpoint.positions(connection, new)
    reached = {source: min(before.get(source, 0), after.get(source, 0)) for source in {*before, *after}}
    binds = {"sources": list(reached), "positions": list(reached.values()), "most": MOST_EXAMPLES}
    differences = []
    for table, key in projection.compared.items():
        difference = TableDifference(table.removesuffix("_build"))
        statement = _statement(live.table(table), new.table(table), key, projection.columns[table])
        for what, kind, source, id_, columns, number in connection.execute(text(statement), binds):
            if what == "kind":
                setattr(difference, kind, number)
            elif what == "column":
                difference.columns[columns] = number
            elif what == "later":
                difference.later = number
            else:
                difference.examples.append(Example(kind, source, id_, columns or ""))
        differences.append(difference)
    return differences


def _statement(live: str, new: str, key: Sequence[str], columns: Sequence[str]) -> str:
    compared = [column for column in columns if column not in (*key, *_NOT_COMPARED)]
    changed = [f"case when l.{column} is distinct from n.{column} then '{column}' end" for column in compared]
    return _COMPARE.format(
        live=live,
        new=new,
        ids=", ".join(f"coalesce(l.{column}, n.{column}) as {column}" for column in key),
        same=" and ".join(f"n.{column} = l.{column}" for column in key),
        order=", ".join(key),
        id=" || '/' || ".join(f"{column}::text" for column in key),
        columns=", ".join(changed),
        left=", ".join(f"l.{column}" for column in ("source", *compared)),
        right=", ".join(f"n.{column}" for column in ("source", *compared)),
    )
