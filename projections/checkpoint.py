"""How far each build of a projection has read each source. Taking a checkpoint locks it: its worker is the only one."""

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
from projections.builds import Build

checkpoint = Table(
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


def take(connection: Connection, build: Build, source: str) -> int | None:
    """Lock the checkpoint until the transaction ends; gives its position (0 at first), null if another has it."""
    found = select(checkpoint.c.position).where(_of(build, source)).with_for_update(skip_locked=True)
    held = connection.execute(found).scalar()
    if held is not None:
        return int(held)
    taken: int | None = connection.execute(_first(build, source).returning(checkpoint.c.position)).scalar()
    return taken


def wait_for(connection: Connection, build: Build, source: str) -> int:
    """Lock the checkpoint until the transaction ends, however long another has it; gives its position (0 at first)."""
    # Waits for a worker whose first batch is under way: there is nothing to lock before it commits.
    connection.execute(_first(build, source))
    return int(
        connection.execute(select(checkpoint.c.position).where(_of(build, source)).with_for_update()).scalar_one()
    )


def join(connection: Connection) -> None:
    """Keep the live build from being swapped until the transaction ends; wait for a swap that is under way."""
    connection.execute(text("lock table checkpoint in row exclusive mode"))


def hold_all(connection: Connection) -> None:
    """Keep everybody from moving any checkpoint until the transaction ends. Readers do not notice."""
    connection.execute(text("lock table checkpoint in exclusive mode"))


def move(connection: Connection, build: Build, source: str, position: int) -> None:
    """Say that everything up to this position is folded, in the transaction that folded it."""
    connection.execute(update(checkpoint).where(_of(build, source)).values(position=position, moved_at=func.now()))


def positions(connection: Connection, build: Build) -> dict[str, int]:
    """The checkpoint of every source that this build has begun."""
    mine = (checkpoint.c.projection == build.projection) & (checkpoint.c.build == build.number)
    return {
        row.source: row.position
        for row in connection.execute(select(checkpoint.c.source, checkpoint.c.position).where(mine))
    }


def behind(connection: Connection, names: Sequence[str], sources: Sequence[str]) -> list[tuple[str, str]]:
    """Projections and sources whose log goes on past the live build's checkpoint: one index probe a source."""
    given = {"names": list(names), "sources": list(sources)}
    return [(row[0], row[1]) for row in connection.execute(_BEHIND, given)]


def _of(build: Build, source: str) -> ColumnElement[bool]:
    of = checkpoint.c
    return (of.source == source) & (of.projection == build.projection) & (of.build == build.number)


def _first(build: Build, source: str) -> Insert:
    values = {"source": source, "projection": build.projection, "build": build.number, "position": 0}
    return insert(checkpoint).values(values).on_conflict_do_nothing()
