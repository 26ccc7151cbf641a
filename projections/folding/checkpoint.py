"""How far each build of a projection has read each source. Only the transaction that locked a checkpoint moves it."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from ingest.database import metadata
from projections.folding.projection import Build, Track

checkpoint_table = Table(
    "checkpoint",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("projection", Text(collation="C"), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("moved_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("build", Integer, nullable=False, autoincrement=False),
    PrimaryKeyConstraint("source", "projection", "build", name="checkpoint_pkey"),
    ForeignKeyConstraint(
        ["projection", "build"],
        ["projection_build.projection", "projection_build.build"],
        name="checkpoint_build_fkey",
        ondelete="CASCADE",
    ),
)


_BEHIND = text("""
with heads as materialized (
  select s.source, h.head
  from unnest(cast(:sources as text[])) as s (source)
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
    """Lock the checkpoint until the transaction ends; gives its position (0 at first), None if another has it."""
    found = select(checkpoint_table.c.position).where(_of(track)).with_for_update(skip_locked=True)
    held = connection.execute(found).scalar()
    if held is not None:
        return int(held)
    taken: int | None = connection.execute(_first(track).returning(checkpoint_table.c.position)).scalar()
    return taken


def lock(connection: Connection, track: Track) -> int:
    """Lock the checkpoint until the transaction ends, however long another has it; gives its position (0 at first)."""
    # Waits for a worker whose first batch is under way: there is nothing to lock before it commits.
    connection.execute(_first(track))
    return int(connection.execute(select(checkpoint_table.c.position).where(_of(track)).with_for_update()).scalar_one())


def pin_live(connection: Connection) -> None:
    """Keep the live build from being swapped until the transaction ends; wait for a swap that is under way."""
    connection.execute(text("lock table checkpoint in row exclusive mode"))


def stop_all(connection: Connection) -> None:
    """Keep every transaction from moving any checkpoint until this one ends. Readers do not notice."""
    connection.execute(text("lock table checkpoint in exclusive mode"))


def move(connection: Connection, track: Track, position: int) -> None:
    """Say that everything up to this position is folded, in the transaction that folded it."""
    connection.execute(update(checkpoint_table).where(_of(track)).values(position=position, moved_at=func.now()))


def positions(connection: Connection, build: Build) -> dict[str, int]:
    """The checkpoint of every source that this build has begun."""
    mine = (checkpoint_table.c.projection == build.projection) & (checkpoint_table.c.build == build.number)
    return {
        row.source: row.position
        for row in connection.execute(select(checkpoint_table.c.source, checkpoint_table.c.position).where(mine))
    }


def behind(connection: Connection, names: Sequence[str], sources: Sequence[str]) -> list[tuple[str, str]]:
    """Projections and sources whose log goes on past the live build's checkpoint: one index probe a source."""
    given = {"names": list(names), "sources": list(sources)}
    return [(row[0], row[1]) for row in connection.execute(_BEHIND, given)]


def _of(track: Track) -> ColumnElement[bool]:
    of = checkpoint_table.c
    return (of.source == track.source) & (of.projection == track.build.projection) & (of.build == track.build.number)


def _first(track: Track) -> Insert:
    return insert(checkpoint_table).values(**track.key, position=0).on_conflict_do_nothing()
