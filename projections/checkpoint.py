"""How far each projection has read each source. Taking a checkpoint locks it, which makes its worker the only one."""

from sqlalchemy import BigInteger, Column, Connection, DateTime, PrimaryKeyConstraint, Table, Text, func, select, update
from sqlalchemy.dialects.postgresql import insert

from ingest.database import metadata

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("projection", Text(collation="C"), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("moved_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("source", "projection", name="checkpoint_pkey"),
)


def take(connection: Connection, projection: str, source: str) -> int | None:
    """Lock the checkpoint until the transaction ends; gives its position (0 at first), null if another has it."""
    mine = (checkpoint.c.source == source) & (checkpoint.c.projection == projection)
    held = connection.execute(select(checkpoint.c.position).where(mine).with_for_update(skip_locked=True)).scalar()
    if held is not None:
        return int(held)
    first = insert(checkpoint).values(source=source, projection=projection, position=0).on_conflict_do_nothing()
    taken: int | None = connection.execute(first.returning(checkpoint.c.position)).scalar()
    return taken


def wait_for(connection: Connection, projection: str, source: str) -> int:
    """Lock the checkpoint until the transaction ends, however long another has it; gives its position (0 at first)."""
    # Waits for a worker whose first batch is under way: there is nothing to lock before it commits.
    first = insert(checkpoint).values(source=source, projection=projection, position=0).on_conflict_do_nothing()
    connection.execute(first)
    mine = (checkpoint.c.source == source) & (checkpoint.c.projection == projection)
    return int(connection.execute(select(checkpoint.c.position).where(mine).with_for_update()).scalar_one())


def move(connection: Connection, projection: str, source: str, position: int) -> None:
    """Say that everything up to this position is folded, in the transaction that folded it."""
    mine = (checkpoint.c.source == source) & (checkpoint.c.projection == projection)
    connection.execute(update(checkpoint).where(mine).values(position=position, moved_at=func.now()))


def positions(connection: Connection, projection: str) -> dict[str, int]:
    """The checkpoint of every source that this projection has begun."""
    found = select(checkpoint.c.source, checkpoint.c.position).where(checkpoint.c.projection == projection)
    return {row.source: row.position for row in connection.execute(found)}
