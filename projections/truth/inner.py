"""Inner completeness: whoever the log names is on the roster, parked, erased or only in events of unknown types.

By ids, for each source in one snapshot. Participants that the log names once it goes on are left out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, text

from projections.folding import checkpoint
from projections.folding.projection import Build
from projections.participants.rows import ROSTER_TABLE

MOST_NAMED = 20  # ids of each difference
_AT_A_TIME = 5_000  # participants that are looked up at once

# Two indexes are read in the order of the ids, which nothing has to be sorted for.
_LEFT_OVER = """
select named.subject as named, p.participant_id as on_roster
from (select distinct e.subject from event_log e where e.source = :source and e.subject is not null) named
full join (select r.participant_id from {table} r where r.source = :source) p on p.participant_id = named.subject
where named.subject is null or p.participant_id is null
"""
_ON_ROSTER = "select count(*) from {table} r where r.source = :source"
# Whom an erasure in force should have taken off the roster.
_SHOWN = """
select r.subject
from erasures r
join {table} p on p.source = r.source and p.participant_id = r.subject
where r.source = :source and r.lifted_at is null
"""
_ABOUT = text("""
select
  w.id,
  not exists (
    select from event_log e where e.source = :source and e.subject = w.id and e.position <= :position
  ) as is_waiting,
  exists (
    select from quarantine q
    where q.source = :source and q.projection = :projection and q.build = :build and q.participant_id = w.id
  ) as is_parked,
  not exists (
    select from readable_log e
    where e.source = :source and e.subject = w.id and e.position <= :position and e.body is not null
  ) as is_erased,
  not exists (
    select from readable_log e
    where e.source = :source and e.subject = w.id and e.position <= :position and e.body is not null
      and not exists (
        select from unknown_event_type u
        where u.source = :source and u.projection = :projection and u.build = :build and u.event_type = e.event_type
          and not e.is_own -- of a delivery that claims the type of an event of our own
      )
  ) as is_passed
from unnest(cast(:ids as text[])) as w (id)
""")


class Whereabouts(Enum):
    """Where a participant is that the log names, or why nowhere."""

    WAITING = "waiting"
    PARKED = "parked"
    ERASED = "erased"
    PASSED = "of unknown types"
    LOST = "lost"
    UNNAMED = "not named by the log"
    SHOWN = "on the roster, though erased"


_FAULTS = (Whereabouts.LOST, Whereabouts.UNNAMED, Whereabouts.SHOWN)


@dataclass(slots=True)
class InnerCount:
    """One source at the roster's position. `ids`: of each fault, the first ones."""

    source: str
    position: int
    on_roster: int = 0
    parts: Counter[Whereabouts] = field(default_factory=Counter)
    ids: dict[Whereabouts, list[str]] = field(default_factory=dict)

    @property
    def named(self) -> int:
        """How many participants the log names up to the position."""
        of_log = self.on_roster - self.parts[Whereabouts.UNNAMED]
        return of_log + sum(
            self.parts[part] for part in (Whereabouts.PARKED, Whereabouts.ERASED, Whereabouts.PASSED, Whereabouts.LOST)
        )

    @property
    def faults(self) -> int:
        """How many are not where the log says."""
        return sum(self.parts[part] for part in _FAULTS)

    @property
    def is_complete(self) -> bool:
        return not self.faults

    def note(self, part: Whereabouts, id_: str) -> None:
        self.parts[part] += 1
        if part in _FAULTS and self.parts[part] <= MOST_NAMED:
            self.ids.setdefault(part, []).append(id_)

    def as_json(self) -> dict[str, object]:
        return {
            "source": self.source,
            "position": self.position,
            "complete": self.is_complete,
            "named": self.named,
            "on_roster": self.on_roster,
            **{part.name.lower(): self.parts[part] for part in Whereabouts},
            "ids": {part.name.lower(): ids for part, ids in self.ids.items()},
        }


def count_within(connection: Connection, build: Build, source: str) -> InnerCount:
    """Compare log and roster of a source. `build`: the live one. The connection reads in one snapshot."""
    table = build.table(ROSTER_TABLE)
    binds = {"source": source}
    count = InnerCount(source, checkpoint.positions(connection, build).get(source, 0))
    count.on_roster = connection.execute(text(_ON_ROSTER.format(table=table)), binds).scalar_one()
    connection.execute(text("set local work_mem = '64MB'"))
    left = connection.execute(text(_LEFT_OVER.format(table=table)), binds, execution_options={"yield_per": _AT_A_TIME})
    nowhere: list[str] = []
    for named, on_roster in left:
        if named is None:
            count.note(Whereabouts.UNNAMED, on_roster)
        else:
            nowhere.append(named)
    for id_ in connection.execute(text(_SHOWN.format(table=table)), binds).scalars():
        count.note(Whereabouts.SHOWN, id_)
    track = {"source": source, "projection": build.projection, "build": build.number, "position": count.position}
    for ids in _in_parts(nowhere):
        for row in connection.execute(_ABOUT, {**track, "ids": ids}):
            count.note(_part_of(row), row.id)
    for ids in count.ids.values():
        ids.sort()
    return count


def _in_parts(ids: Sequence[str]) -> Iterator[list[str]]:
    remaining = iter(ids)
    while part := [*islice(remaining, _AT_A_TIME)]:
        yield part


def _part_of(row: Row[Any]) -> Whereabouts:
    """Where somebody is who is not on the roster."""
    if row.is_waiting:
        return Whereabouts.WAITING
    if row.is_parked:
        return Whereabouts.PARKED
    if row.is_erased:
        return Whereabouts.ERASED
    return Whereabouts.PASSED if row.is_passed else Whereabouts.LOST
