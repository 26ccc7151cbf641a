"""Checkpoints: the last position folded, per source and build. Only the transaction that locked one moves it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    any_,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert

from projections.folding.projection import Build, Track
from projections.folding.table import checkpoint_table

# A command that is stopped while it keeps workers waiting is ended by PostgreSQL. A worker's own sessions have less.
_SOON = text("select set_config('idle_in_transaction_session_timeout', '10s', true)")
_BEHIND = """
with heads as materialized (
  select s.source, {head} as head
  from source s
  where {which}
)
select p.projection, h.source, coalesce(c.position, 0) as position, h.head
from projection p
cross join heads h
left join checkpoint c on c.projection = p.projection and c.source = h.source and c.build = p.live
where p.projection = any (cast(:names as text[])) and h.head > coalesce(c.position, 0)
order by p.projection, h.source
"""
_HEAD = "(select e.position from event_log e where e.source = s.source order by e.position desc limit 1)"
# Each once for all rows, not for each row: the time, and the sources in a hash.
_LATELY = """(
    s.noted_at > (select now() - make_interval(secs => :seconds))
    or s.source in (select unnest(cast(:sources as text[])))
  )"""
_ALL_BEHIND = text(_BEHIND.format(head=_HEAD, which="true"))
_NOTED_BEHIND = text(_BEHIND.format(head=f"case when {_LATELY} then {_HEAD} else s.head end", which="true"))
_SOME_BEHIND = text(_BEHIND.format(head=_HEAD, which=_LATELY))
_MISSING = text("""
insert into checkpoint (source, projection, build, position)
select m.source, :projection, :build, 0
from unnest(cast(:sources as text[])) as m (source)
order by m.source
on conflict on constraint checkpoint_pkey do nothing
returning source
""")
_MOVE_EACH = text("""
update checkpoint c set position = n.position, moved_at = now()
from unnest(cast(:sources as text[]), cast(:positions as bigint[])) as n (source, position)
where c.source = n.source and c.projection = :projection and c.build = :build
""")


@dataclass(frozen=True, slots=True)
class Lately:
    """Which sources to look at: those of which an append was noted in the last `seconds`, and `sources`.

    `with_noted`: the others, too, each with the head that was noted of it, after which it may have events.
    """

    seconds: float
    sources: Collection[str]
    with_noted: bool = False


def try_lock(connection: Connection, track: Track) -> int | None:
    """Lock the checkpoint until the transaction ends; gives its position, 0 if new, None if it is locked."""
    query = select(checkpoint_table.c.position).where(_of(track)).with_for_update(skip_locked=True)
    position = connection.execute(query).scalar()
    if position is not None:
        return int(position)
    first: int | None = connection.execute(_insert(track).returning(checkpoint_table.c.position)).scalar()
    return first


def try_lock_each(connection: Connection, build: Build, sources: Sequence[str]) -> dict[str, int]:
    """Lock the checkpoints of several sources until the transaction ends; gives their positions, 0 if new.

    Without those that are locked. What is new is waited for if another transaction is just beginning it.
    """
    columns = checkpoint_table.c
    of_build = (columns.projection == build.projection) & (columns.build == build.number)
    of_source = columns.source == any_(literal([*sources], ARRAY(columns.source.type)))
    query = select(columns.source, columns.position).where(of_build, of_source).with_for_update(skip_locked=True)
    positions = {row.source: row.position for row in connection.execute(query)}
    if missing := [source for source in sources if source not in positions]:
        values = {"projection": build.projection, "build": build.number, "sources": missing}
        positions |= dict.fromkeys(connection.execute(_MISSING, values).scalars(), 0)
    return positions


def lock(connection: Connection, track: Track) -> int:
    """Lock the checkpoint until the transaction ends, once it can be had; gives its position, 0 if new."""
    connection.execute(_SOON)
    # The insert waits for a worker that folds its first batch: until that commits there is no row to lock.
    connection.execute(_insert(track))
    return int(connection.execute(select(checkpoint_table.c.position).where(_of(track)).with_for_update()).scalar_one())


def pin_live(connection: Connection) -> None:
    """Let no swap replace the live build until the transaction ends; waits for a swap that is under way."""
    connection.execute(text("lock table checkpoint in row exclusive mode"))


def stop_all(connection: Connection) -> None:
    """Let no other transaction move any checkpoint until this one ends. Readers do not wait."""
    connection.execute(_SOON)
    connection.execute(text("lock table checkpoint in exclusive mode"))


def move(connection: Connection, track: Track, position: int) -> None:
    """Set the checkpoint, in the transaction that folded the events up to this position."""
    connection.execute(update(checkpoint_table).where(_of(track)).values(position=position, moved_at=func.now()))


def move_each(connection: Connection, build: Build, positions: Mapping[str, int]) -> None:
    """Set the checkpoints of several sources, in the transaction that folded their events up to these positions."""
    values = {"projection": build.projection, "build": build.number}
    connection.execute(_MOVE_EACH, {**values, "sources": [*positions], "positions": [*positions.values()]})


def positions(connection: Connection, build: Build) -> dict[str, int]:
    """The checkpoints of a build by source; a source of which nothing is folded yet may be missing."""
    of_build = (checkpoint_table.c.projection == build.projection) & (checkpoint_table.c.build == build.number)
    query = select(checkpoint_table.c.source, checkpoint_table.c.position).where(of_build)
    return {row.source: row.position for row in connection.execute(query)}


def behind(
    connection: Connection, names: Sequence[str], lately: Lately | None = None
) -> list[tuple[str, str, int, int]]:
    """Where the log goes on past the live build's checkpoint: projection, source, checkpoint and head.

    One index probe for each source; with `lately`, for those of its sources alone.
    """
    if lately is None:
        rows = connection.execute(_ALL_BEHIND, {"names": [*names]})
    else:
        binds = {"seconds": lately.seconds, "sources": [*lately.sources]}
        rows = connection.execute(_NOTED_BEHIND if lately.with_noted else _SOME_BEHIND, {"names": [*names], **binds})
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def _of(track: Track) -> ColumnElement[bool]:
    columns = checkpoint_table.c
    return (
        (columns.source == track.source)
        & (columns.projection == track.build.projection)
        & (columns.build == track.build.number)
    )


def _insert(track: Track) -> Insert:
    return insert(checkpoint_table).values(**track.key, position=0).on_conflict_do_nothing()
