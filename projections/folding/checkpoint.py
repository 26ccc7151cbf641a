"""Checkpoints: the last position folded, per source and build. Only the transaction that locked one moves it."""

from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from projections.folding.projection import Build, Track
from projections.folding.table import checkpoint_table

# A command that is stopped while it keeps workers waiting is ended by PostgreSQL. A worker's own sessions have less.
_SOON = text("select set_config('idle_in_transaction_session_timeout', '10s', true)")
_BEHIND = text("""
with heads as materialized (
  select s.source, h.head
  from source s
  cross join lateral (
    select e.position as head from event_log e where e.source = s.source order by e.position desc limit 1
  ) h
)
select p.projection, h.source
from projection p
cross join heads h
left join checkpoint c on c.projection = p.projection and c.source = h.source and c.build = p.live
where p.projection = any (cast(:names as text[])) and h.head > coalesce(c.position, 0)
order by p.projection, h.source
""")


def try_lock(connection: Connection, track: Track) -> int | None:
    """Lock the checkpoint until the transaction ends; gives its position, 0 if new, None if it is locked."""
    query = select(checkpoint_table.c.position).where(_of(track)).with_for_update(skip_locked=True)
    position = connection.execute(query).scalar()
    if position is not None:
        return int(position)
    first: int | None = connection.execute(_insert(track).returning(checkpoint_table.c.position)).scalar()
    return first


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


def positions(connection: Connection, build: Build) -> dict[str, int]:
    """The checkpoints of a build by source; a source of which nothing is folded yet may be missing."""
    of_build = (checkpoint_table.c.projection == build.projection) & (checkpoint_table.c.build == build.number)
    query = select(checkpoint_table.c.source, checkpoint_table.c.position).where(of_build)
    return {row.source: row.position for row in connection.execute(query)}


def behind(connection: Connection, names: Sequence[str]) -> list[tuple[str, str]]:
    """The (projection, source) pairs whose log goes on past the live build's checkpoint: one index probe per source."""
    return [(row[0], row[1]) for row in connection.execute(_BEHIND, {"names": list(names)})]


def _of(track: Track) -> ColumnElement[bool]:
    columns = checkpoint_table.c
    return (
        (columns.source == track.source)
        & (columns.projection == track.build.projection)
        & (columns.build == track.build.number)
    )


def _insert(track: Track) -> Insert:
    return insert(checkpoint_table).values(**track.key, position=0).on_conflict_do_nothing()
