"""Where a source's deliveries are taken: here, at another database, or nowhere while it is on its way to this one."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, Engine, select, text

from ingest.log.table import source_table

ARRIVING = "arriving"
MOVED = "moved"

# The sources whose deliveries are not taken here: that nothing is stored of them is as it should be.
ELSEWHERE = "select e.source from source e where e.state is not null"
# Those that are copied to here: their events are as old as they were there, so that waiting says nothing of the worker.
ARRIVES = f"select e.source from source e where e.state = '{ARRIVING}'"  # noqa: S608 - the constant above

_BEGINNING = bytes(32)  # the chain value before the first event
_OF_SOURCE = text("""
select s.state, s.move_id, s.other_place, coalesce(h.position, 0), h.chain
from (select) as one
left join source s on s.source = :source
left join lateral (
  select e.position, e.chain from event_log e where e.source = :source order by e.position desc limit 1
) h on true
""")
_TURN = text("""
select state, move_id, other_place, head, chain, is_done
from turn_source(
  :source, :turn, :place, cast(:move_id as uuid), cast(:position as bigint), cast(:chain as bytea)
)
""")
_HOLD = text("select pg_advisory_xact_lock(:key)")
_IS_HELD = text("""
select exists (
  select from pg_locks l
  where l.locktype = 'advisory' and l.classid::bigint = :high and l.objid::bigint = :low
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
)
""")


class Turn(StrEnum):
    """What a source is told, at the place it leaves or at the place it goes to: see the database function."""

    ARRIVE = "arrive"
    LEAVE = "leave"
    COMPLETE = "complete"
    DECLINE = "decline"
    STAY = "stay"


@dataclass(frozen=True, slots=True)
class OtherPlace:
    """Of a source whose deliveries are not taken here. `state`: ARRIVING or MOVED; `place`: the other one in words."""

    state: str
    place: str

    def __str__(self) -> str:
        if self.state == MOVED:
            return f"moved to {self.place}: deliveries are answered 503 here"
        return f"being copied to here from {self.place}: deliveries are answered 503 here until it has moved"


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """How a source is in one database. `state`: ARRIVING, MOVED, or None: its deliveries are taken here.

    `move_id`: of the last move that both databases know. `other_place`: the other one in words. `head`, `chain`: where
    the log ends here.
    """

    state: str | None
    move_id: UUID | None
    other_place: str | None
    head: int
    chain: bytes


def whereabouts(connection: Connection, source: str) -> SourcePlace:
    """How a source is here; one that the database does not know is taken here, with an empty log."""
    state, move_id, other_place, head, chain = connection.execute(_OF_SOURCE, {"source": source}).one()
    return SourcePlace(state, move_id, other_place, head, chain or _BEGINNING)


def all_elsewhere(connection: Connection) -> Mapping[str, OtherPlace]:
    """The sources whose deliveries are not taken here."""
    row = source_table.c
    query = select(row.source, row.state, row.other_place).where(row.state.is_not(None))
    return {name: OtherPlace(state, other) for name, state, other in connection.execute(query)}


def turn(
    connection: Connection, source: str, what: Turn, other_place: str, known: SourcePlace | None = None
) -> tuple[bool, SourcePlace]:
    """Change where a source's deliveries are taken, if that is right; whether it was done, and how the source is then.

    `known`: how it is at the other place, of which the move and the end of the log are compared.
    """
    told: dict[str, object] = {"move_id": None, "position": None, "chain": None}
    if known is not None:
        told = {"move_id": known.move_id, "position": known.head, "chain": known.chain}
    *place, is_done = connection.execute(
        _TURN, {"source": source, "turn": what.value, "place": other_place, **told}
    ).one()
    return is_done, SourcePlace(*place)


def is_one_database(one: Engine, other: Engine) -> bool:
    """Whether two engines lead to the same database, by whatever names and ways."""
    key = secrets.randbits(62)
    with one.begin() as connection, other.begin() as looking:
        connection.execute(_HOLD, {"key": key})
        held: bool = looking.execute(_IS_HELD, {"high": key >> 32, "low": key & 0xFFFFFFFF}).scalar_one()
    return held
