"""The builds of a projection: each is a set of its tables, folded from the log by one definition. One build is live.

Readers find the live build by the row in `projection`, so a swap updates one row and no reader waits for it.
"""

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from ingest.database import metadata
from projections.folding import checkpoint
from projections.folding.projection import Build, Projection

projection_table = Table(
    "projection",
    metadata,
    Column("projection", Text(collation="C"), nullable=False),
    Column("tables", ARRAY(Text), nullable=False),
    Column("last_build", Integer, nullable=False, server_default=text("0")),
    Column("live", Integer),
    Column("previous", Integer),
    PrimaryKeyConstraint("projection", name="projection_pkey"),
)

build_table = Table(
    "projection_build",
    metadata,
    Column("projection", Text(collation="C"), nullable=False),
    Column("build", Integer, nullable=False, autoincrement=False),
    Column("definition", Text, nullable=False),
    Column("begun_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("projection", "build", name="projection_build_pkey"),
)


def live(connection: Connection, name: str) -> Build | None:
    """The build that readers see; None before the first."""
    return _pointed_at(connection, name, projection_table.c.live)


def previous(connection: Connection, name: str) -> Build | None:
    """The build that was live before the live one; None if there is none."""
    return _pointed_at(connection, name, projection_table.c.previous)


def every_live(connection: Connection) -> dict[str, Build]:
    """The live build of each projection that has one."""
    query = select(build_table.c.projection, build_table.c.build, build_table.c.definition).join(
        projection_table,
        (projection_table.c.projection == build_table.c.projection) & (projection_table.c.live == build_table.c.build),
    )
    return {row[0]: Build(*row) for row in connection.execute(query)}


def begin(connection: Connection, projection: Projection) -> Build:
    """Create the tables of a new build, not yet attached as partitions; the live build is untouched."""
    name, definition = projection.name, projection.definition
    number: int = connection.execute(
        text("select begin_build(:name, :definition)"), {"name": name, "definition": definition}
    ).scalar_one()
    return Build(name, number, definition)


def tables(connection: Connection, name: str) -> list[str]:
    """The names of a projection's tables, without the number of a build."""
    names: list[str] = connection.execute(
        select(projection_table.c.tables).where(projection_table.c.projection == name)
    ).scalar_one()
    return names


def indexes(connection: Connection, table: str) -> list[str]:
    """The names of the indexes that a table has in every build, the slowest to build first."""
    query = text("""
        select c.relname
        from pg_index i
        join pg_class c on c.oid = i.indexrelid
        where i.indrelid = to_regclass('public.' || quote_ident(:table))
        order by i.indexprs is null, i.indexrelid
    """)
    return list(connection.execute(query, {"table": table}).scalars())


def make_index(connection: Connection, build: Build, table: str, index: str) -> None:
    """Build one index on a build's table before the table is attached."""
    connection.execute(
        text("select make_index(:projection, :build, :table, :index)"),
        {"projection": build.projection, "build": build.number, "table": table, "index": index},
    )


def attach(connection: Connection, build: Build, table: str) -> None:
    """Attach a loaded table as a partition of the projection's table, and build the indexes that it still lacks.

    Readers do not wait.
    """
    connection.execute(
        text("select attach_build(:projection, :build, :table)"),
        {"projection": build.projection, "build": build.number, "table": table},
    )


def analyze(connection: Connection, build: Build, table: str) -> None:
    """Collect the planner's statistics of a build's table."""
    connection.execute(
        text("select analyze_build(:projection, :build, :table)"),
        {"projection": build.projection, "build": build.number, "table": table},
    )


def open_for(connection: Connection, projection: Projection) -> Build | None:
    """The live build, which no swap replaces until the transaction ends; an empty first build if there is none.

    None if the live build was folded by another definition: this program must not write into it.
    """
    checkpoint.pin_live(connection)
    build = live(connection, projection.name) or _first(connection, projection)
    return build if build.definition == projection.definition else None


def _first(connection: Connection, projection: Projection) -> Build:
    """Make a projection's first build and let it go live. The row's lock lets only one of several programs do it."""
    name = projection.name
    connection.execute(
        select(projection_table).where(projection_table.c.projection == name).with_for_update(key_share=True)
    )
    build = live(connection, name)
    if build is None:
        build = begin(connection, projection)
        for table in tables(connection, name):
            attach(connection, build, table)
        go_live(connection, build)
    return build


def go_live(connection: Connection, build: Build) -> None:
    """Let readers see this build from the commit on; the build that was live becomes the previous one."""
    statement = update(projection_table).where(projection_table.c.projection == build.projection)
    connection.execute(statement.values(live=build.number, previous=projection_table.c.live))


def beside(connection: Connection, name: str) -> list[Build]:
    """The builds that are neither live nor previous: unfinished, given up, or older."""
    query = (
        select(build_table.c.projection, build_table.c.build, build_table.c.definition)
        .join(projection_table, projection_table.c.projection == build_table.c.projection)
        .where(
            build_table.c.projection == name,
            build_table.c.build.is_distinct_from(projection_table.c.live),
            build_table.c.build.is_distinct_from(projection_table.c.previous),
        )
    )
    return [Build(*row) for row in connection.execute(query)]


def drop_table(connection: Connection, build: Build, table: str) -> None:
    """Drop a table of a build that is not live. Raises after a short lock time-out if any build of it is read."""
    connection.execute(
        text("select drop_build(:projection, :build, :table)"),
        {"projection": build.projection, "build": build.number, "table": table},
    )


def forget(connection: Connection, build: Build) -> None:
    """Delete the row of a build whose tables are dropped. Its checkpoints, quarantine and unknown types cascade."""
    of_build = (build_table.c.projection == build.projection) & (build_table.c.build == build.number)
    connection.execute(delete(build_table).where(of_build))


def _pointed_at(connection: Connection, name: str, pointer: Column[int | None]) -> Build | None:
    query = (
        select(build_table.c.projection, build_table.c.build, build_table.c.definition)
        .join(
            projection_table,
            (projection_table.c.projection == build_table.c.projection) & (pointer == build_table.c.build),
        )
        .where(projection_table.c.projection == name, pointer == build_table.c.build)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Build(*row)
