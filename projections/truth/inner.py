"""Inner completeness: whoever the log names is on the roster, parked, erased or only in events of unknown types.

By ids, for each source in one snapshot. Participants that the log names once it goes on are left out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, TextClause, text

from projections.folding import checkpoint
from projections.folding.projection import Build
from projections.participants.rows import ROSTER_TABLE

MOST_NAMED = 20  # ids of each difference
_AT_A_TIME = 5_000  # participants that are looked up at once
_MOST_SINGLY = 100  # sources with statements of their own, which are quickest for large ones

# Two indexes are read in the order of the ids. The source is no part of what is joined by: that takes twice as long.
_LEFT_OVER_OF_ONE = """
select cast(:source as text) as source, named.id as named, p.id as on_roster
from (select distinct e.subject as id from event_log e where e.source = :source and e.subject is not null) named
full join (select r.participant_id as id from {table} r where r.source = :source) p on p.id = named.id
where named.id is null or p.id is null
"""
_LEFT_OVER_OF_EACH = """
select coalesce(named.source, p.source) as source, named.id as named, p.id as on_roster
from (select distinct e.source, e.subject as id from event_log e where e.subject is not null) named
full join (select r.source, r.participant_id as id from {table} r) p on p.source = named.source and p.id = named.id
where named.id is null or p.id is null
"""
_ON_ROSTER = "select r.source, count(*) as participants from {table} r where true{of_roster} group by r.source"
# Whom an erasure in force should have taken off the roster.
_SHOWN = """
select r.source, r.subject
from erasures r
join {table} p on p.source = r.source and p.participant_id = r.subject
where r.lifted_at is null{of_roster}
"""
_ABOUT = text("""
select
  w.source, w.id,
  not exists (
    select from event_log e where e.source = w.source and e.subject = w.id and e.position <= w.position
  ) as is_waiting,
  exists (
    select from quarantine q
    where q.source = w.source and q.projection = :projection and q.build = :build and q.participant_id = w.id
  ) as is_parked,
  not exists (
    select from readable_log e
    where e.source = w.source and e.subject = w.id and e.position <= w.position and e.body is not null
  ) as is_erased,
  not exists (
    select from readable_log e
    where e.source = w.source and e.subject = w.id and e.position <= w.position and e.body is not null
      and not exists (
        select from unknown_event_type u
        where u.source = w.source and u.projection = :projection and u.build = :build and u.event_type = e.event_type
          and not e.is_own -- of a delivery that claims the type of an event of our own
      )
  ) as is_passed
from unnest(cast(:sources as text[]), cast(:ids as text[]), cast(:positions as bigint[])) as w (source, id, position)
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
    [count] = _counted(connection, build, [source], source)
    return count


def count_each(connection: Connection, build: Build, sources: Sequence[str]) -> list[InnerCount]:
    """The same of all sources that have events: of many in as many statements as of one."""
    if len(sources) > _MOST_SINGLY:
        return _counted(connection, build, sources, None)
    return [count_within(connection, build, source) for source in sources]


def _counted(connection: Connection, build: Build, sources: Sequence[str], only: str | None) -> list[InnerCount]:
    positions = checkpoint.positions(connection, build)
    counts = {source: InnerCount(source, positions.get(source, 0)) for source in sources}
    for row in _of_those(counts, connection.execute(*_statement(_ON_ROSTER, build, only))):
        counts[row.source].on_roster = row.participants
    connection.execute(text("set local work_mem = '64MB'"))
    nowhere: list[tuple[str, str]] = []
    left_over = _LEFT_OVER_OF_EACH if only is None else _LEFT_OVER_OF_ONE
    left = connection.execute(*_statement(left_over, build, only), execution_options={"yield_per": _AT_A_TIME})
    for row in _of_those(counts, left):
        if row.named is None:
            counts[row.source].note(Whereabouts.UNNAMED, row.on_roster)
        else:
            nowhere.append((row.source, row.named))
    for row in _of_those(counts, connection.execute(*_statement(_SHOWN, build, only))):
        counts[row.source].note(Whereabouts.SHOWN, row.subject)
    _note_nowhere(connection, build, counts, nowhere)
    for count in counts.values():
        for of_fault in count.ids.values():
            of_fault.sort()
    return [*counts.values()]


def _of_those(counts: Mapping[str, InnerCount], rows: Iterable[Row[Any]]) -> Iterator[Row[Any]]:
    """The rows of these sources; another may have got its first event since they were asked for."""
    return (row for row in rows if row.source in counts)


def _note_nowhere(
    connection: Connection, build: Build, counts: Mapping[str, InnerCount], nowhere: Sequence[tuple[str, str]]
) -> None:
    """Note of each source and id that the log names and the roster lacks why that is."""
    track = {"projection": build.projection, "build": build.number}
    for pairs in _in_parts(nowhere):
        sources, ids = zip(*pairs, strict=True)
        reached = [counts[source].position for source in sources]
        for row in connection.execute(_ABOUT, {**track, "sources": [*sources], "ids": [*ids], "positions": reached}):
            counts[row.source].note(_part_of(row), row.id)


def _statement(sql: str, build: Build, only: str | None) -> tuple[TextClause, dict[str, str]]:
    """A statement about one source, or about all."""
    of_roster = "" if only is None else " and r.source = :source"
    statement = text(sql.format(table=build.table(ROSTER_TABLE), of_roster=of_roster))
    return statement, {} if only is None else {"source": only}


def _in_parts(pairs: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    remaining = iter(pairs)
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
