"""A projection's builds: each a set of its tables, folded from the log by one version of its definition. One is live.

Readers follow the pointer in `projection`, so that making a build live is one changed row, and nobody waits for it.
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
    """The build that readers see; null before the first."""
    return _pointed_at(connection, name, projection_table.c.live)


def previous(connection: Connection, name: str) -> Build | None:
    """The build that readers saw before; null if there is none any more."""
    return _pointed_at(connection, name, projection_table.c.previous)


def every_live(connection: Connection) -> dict[str, Build]:
    """The live build of each projection that has one."""
    found = select(build_table.c.projection, build_table.c.build, build_table.c.definition).join(
        projection_table,
        (projection_table.c.projection == build_table.c.projection) & (projection_table.c.live == build_table.c.build),
    )
    return {row[0]: Build(*row) for row in connection.execute(found)}


def begin(connection: Connection, projection: Projection) -> Build:
    """Make the tables of a new build, beside the live ones and not yet in their place."""
    name, definition = projection.name, projection.definition
    number: int = connection.execute(
        text("select begin_build(:name, :definition)"), {"name": name, "definition": definition}
    ).scalar_one()
    return Build(name, number, definition)


def tables(connection: Connection, name: str) -> list[str]:
    """The tables of a projection."""
    found: list[str] = connection.execute(
        select(projection_table.c.tables).where(projection_table.c.projection == name)
    ).scalar_one()
    return found


def indexes(connection: Connection, table: str) -> list[str]:
    """The indexes that a table of a projection has in every build, those that take longest to make first."""
    found = text("""
        select c.relname
        from pg_index i
        join pg_class c on c.oid = i.indexrelid
        where i.indrelid = to_regclass('public.' || quote_ident(:table))
        order by i.indexprs is null, i.indexrelid
    """)
    return list(connection.execute(found, {"table": table}).scalars())


def make_index(connection: Connection, build: Build, table: str, index: str) -> None:
    """Make one index of a loaded table that is not in its place yet."""
    connection.execute(
        text("select make_index(:projection, :build, :table, :index)"),
        {"projection": build.projection, "build": build.number, "table": table, "index": index},
    )


def attach(connection: Connection, build: Build, table: str) -> None:
    """Put a loaded table in its place, where the rows of every build are, with what it still lacks of indexes.

    Readers do not wait.
    """
    connection.execute(
        text("select attach_build(:projection, :build, :table)"),
        {"projection": build.projection, "build": build.number, "table": table},
    )


def analyze(connection: Connection, build: Build, table: str) -> None:
    """Tell the planner what is in a table."""
    connection.execute(
        text("select analyze_build(:projection, :build, :table)"),
        {"projection": build.projection, "build": build.number, "table": table},
    )


def open_for(connection: Connection, projection: Projection) -> Build | None:
    """The live build, which no swap replaces until the transaction ends. Where there is none, a first one, empty.

    None: it was folded by another definition, and this program must not write into it.
    """
    checkpoint.pin_live(connection)
    build = live(connection, projection.name) or _first(connection, projection)
    return build if build.definition == projection.definition else None


def _first(connection: Connection, projection: Projection) -> Build:
    """Make a projection's first build live; of several programs that find none, one makes it."""
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
    """Let readers see this build from the commit on; the one they saw so far becomes the previous one."""
    mine = projection_table.c.projection == build.projection
    connection.execute(update(projection_table).where(mine).values(live=build.number, previous=projection_table.c.live))


def beside(connection: Connection, name: str) -> list[Build]:
    """The builds that are neither live nor previous: unfinished, given up, or older."""
    mine = build_table.c.projection == name
    found = (
        select(build_table.c.projection, build_table.c.build, build_table.c.definition)
        .join(projection_table, projection_table.c.projection == build_table.c.projection)
        .where(
            mine,
            build_table.c.build.is_distinct_from(projection_table.c.live),
            build_table.c.build.is_distinct_from(projection_table.c.previous),
        )
    )
    return [Build(*row) for row in connection.execute(found)]


def drop_table(connection: Connection, build: Build, table: str) -> None:
    """Drop a table of a build that is not live. Raises at once if somebody is reading from any build of it."""
    connection.execute(
        text("select drop_build(:projection, :build, :table)"),
        {"projection": build.projection, "build": build.number, "table": table},
    )


def forget(connection: Connection, build: Build) -> None:
    """Take a build whose tables are gone off the list, with its checkpoints, its quarantine and its counts."""
    mine = (build_table.c.projection == build.projection) & (build_table.c.build == build.number)
    connection.execute(delete(build_table).where(mine))


def _pointed_at(connection: Connection, name: str, pointer: Column[int | None]) -> Build | None:
    found = (
        select(build_table.c.projection, build_table.c.build, build_table.c.definition)
        .join(
            projection_table,
            (projection_table.c.projection == build_table.c.projection) & (pointer == build_table.c.build),
        )
        .where(projection_table.c.projection == name, pointer == build_table.c.build)
    )
    row = connection.execute(found).one_or_none()
    return None if row is None else Build(*row)
