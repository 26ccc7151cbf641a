"""A projection's builds: each a set of its tables, folded from the log by one version of its definition. One is live.

Readers follow the pointer in `projection`, so that making a build live is one changed row, and nobody waits for it.
"""

from dataclasses import dataclass

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

projection = Table(
    "projection",
    metadata,
    Column("projection", Text(collation="C"), nullable=False),
    Column("tables", ARRAY(Text), nullable=False),
    Column("last_build", Integer, nullable=False, server_default=text("0")),
    Column("live", Integer),
    Column("previous", Integer),
    PrimaryKeyConstraint("projection", name="projection_pkey"),
)

projection_build = Table(
    "projection_build",
    metadata,
    Column("projection", Text(collation="C"), nullable=False),
    Column("build", Integer, nullable=False, autoincrement=False),
    Column("definition", Text, nullable=False),
    Column("begun_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("projection", "build", name="projection_build_pkey"),
)


@dataclass(frozen=True, slots=True)
class Build:
    """One build of a projection, and the version of the definition that it was folded by."""

    projection: str
    number: int
    version: str

    def table(self, name: str) -> str:
        """What a table of the projection is called in this build."""
        return f"{name}_{self.number}"


def live(connection: Connection, name: str) -> Build | None:
    """The build that readers see; null before the first."""
    return _pointed_at(connection, name, projection.c.live)


def previous(connection: Connection, name: str) -> Build | None:
    """The build that readers saw before; null if there is none any more."""
    return _pointed_at(connection, name, projection.c.previous)


def every_live(connection: Connection) -> dict[str, Build]:
    """The live build of each projection that has one."""
    found = select(projection_build.c.projection, projection_build.c.build, projection_build.c.definition).join(
        projection,
        (projection.c.projection == projection_build.c.projection) & (projection.c.live == projection_build.c.build),
    )
    return {row[0]: Build(*row) for row in connection.execute(found)}


def begin(connection: Connection, name: str, version: str) -> Build:
    """Make the tables of a new build, beside the live ones and not yet in their place."""
    number: int = connection.execute(
        text("select begin_build(:name, :version)"), {"name": name, "version": version}
    ).scalar_one()
    return Build(name, number, version)


def tables(connection: Connection, name: str) -> list[str]:
    """The tables of a projection."""
    found: list[str] = connection.execute(
        select(projection.c.tables).where(projection.c.projection == name)
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


def open_first(connection: Connection, name: str, version: str) -> Build:
    """The live build; where there is none yet, a new one, empty, that is live at once."""
    found = live(connection, name)
    if found is None:  # of several that see this at once, one makes it
        connection.execute(select(projection).where(projection.c.projection == name).with_for_update(key_share=True))
        found = live(connection, name)
    if found is None:
        found = begin(connection, name, version)
        for table in tables(connection, name):
            attach(connection, found, table)
        go_live(connection, found)
    return found


def go_live(connection: Connection, build: Build) -> None:
    """Let readers see this build from the commit on; the one they saw so far becomes the previous one."""
    mine = projection.c.projection == build.projection
    connection.execute(update(projection).where(mine).values(live=build.number, previous=projection.c.live))


def beside(connection: Connection, name: str) -> list[Build]:
    """The builds that are neither live nor previous: unfinished, given up, or older."""
    mine = projection_build.c.projection == name
    found = (
        select(projection_build.c.projection, projection_build.c.build, projection_build.c.definition)
        .join(projection, projection.c.projection == projection_build.c.projection)
        .where(
            mine,
            projection_build.c.build.is_distinct_from(projection.c.live),
            projection_build.c.build.is_distinct_from(projection.c.previous),
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
    mine = (projection_build.c.projection == build.projection) & (projection_build.c.build == build.number)
    connection.execute(delete(projection_build).where(mine))


def _pointed_at(connection: Connection, name: str, pointer: Column[int | None]) -> Build | None:
    found = (
        select(projection_build.c.projection, projection_build.c.build, projection_build.c.definition)
        .join(
            projection,
            (projection.c.projection == projection_build.c.projection) & (pointer == projection_build.c.build),
        )
        .where(projection.c.projection == name, pointer == projection_build.c.build)
    )
    row = connection.execute(found).one_or_none()
    return None if row is None else Build(*row)
