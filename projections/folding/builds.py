"""The builds of a projection: each is a set of its tables, folded from the log by one definition. One build is live.

Readers find the live build by the row in `projection`, so a swap updates one row and no reader waits for it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, cast, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from projections.folding import checkpoint
from projections.folding.projection import Build, Projection
from projections.folding.table import build_table, projection_table

REBUILD_LOCK = 1_919_906_928  # first key of the advisory lock that a rebuild holds; the second is the projection's name

# A rebuild under way holds this lock; what was killed leaves its build behind until the next one.
_UNDER_WAY = text("""
select p.projection, b.loaded_events, b.events_to_load, b.moved_at
from projection p
left join lateral (
  select b.loaded_events, b.events_to_load, b.moved_at
  from projection_build b
  where b.projection = p.projection and b.build is distinct from p.live and b.build is distinct from p.previous
  order by b.build desc
  limit 1
) b on true
where exists (
  select from pg_locks l
  where l.locktype = 'advisory' and l.classid = :lock and l.objid = hashtext(p.projection)::oid
)
order by p.projection
""")

_pointer, _build = projection_table.c, build_table.c
_BUILDS = select(_build.projection, _build.build, _build.definition).join(
    projection_table, _pointer.projection == _build.projection
)


@dataclass(frozen=True, slots=True)
class RebuildUnderWay:
    """A rebuild of a projection. `loaded`, of `to_load` events, at `moved_at`; None before it has noted any."""

    projection: str
    loaded: int | None
    to_load: int | None
    moved_at: datetime | None

    @property
    def ratio(self) -> float | None:
        """The part of the log that the build has."""
        if self.loaded is None or self.to_load is None:
            return None
        return min(self.loaded / max(self.to_load, 1), 1.0)


def rebuilds_under_way(connection: Connection) -> list[RebuildUnderWay]:
    """The rebuilds that are running, by projection."""
    return [RebuildUnderWay(*row) for row in connection.execute(_UNDER_WAY, {"lock": REBUILD_LOCK})]


def live(connection: Connection, name: str) -> Build | None:
    """The build that readers see; None before the first."""
    return every_live(connection).get(name)


def previous(connection: Connection, name: str) -> Build | None:
    """The build that was live before the live one; None if there is none."""
    query = _BUILDS.where(_build.projection == name, _build.build == _pointer.previous)
    row = connection.execute(query).one_or_none()
    return None if row is None else Build(*row)


def every_live(connection: Connection) -> dict[str, Build]:
    """The live build of each projection that has one."""
    return {row[0]: Build(*row) for row in connection.execute(_BUILDS.where(_build.build == _pointer.live))}


def beside(connection: Connection, name: str) -> list[Build]:
    """The builds that are neither live nor previous: unfinished, given up, or older."""
    pointers = (_build.build.is_distinct_from(pointer) for pointer in (_pointer.live, _pointer.previous))
    return [Build(*row) for row in connection.execute(_BUILDS.where(_build.projection == name, *pointers))]


def open_for(connection: Connection, projection: Projection) -> Build | None:
    """The live build, which no swap replaces until the transaction ends; an empty first build if there is none.

    None if the live build was folded by another definition: this program must not write into it.
    """
    checkpoint.pin_live(connection)
    build = live(connection, projection.name) or _first(connection, projection)
    return build if build.definition == projection.definition else None


def begin(connection: Connection, projection: Projection) -> Build:
    """Create the tables of a new build, not yet attached as partitions; the live build is untouched."""
    name, definition = projection.name, projection.definition
    calendar = cast(projection.calendar.as_json(), JSONB)
    number: int = connection.execute(select(func.begin_build(name, definition, calendar))).scalar_one()
    return Build(name, number, definition)


def tables(connection: Connection, name: str) -> list[str]:
    """The names of a projection's tables, without the number of a build."""
    names: list[str] = connection.execute(select(_pointer.tables).where(_pointer.projection == name)).scalar_one()
    return names


def indexes(connection: Connection, table: str) -> list[str]:
    """The names of the indexes that a table has in every build, the slowest to build first."""
    query = text("""
        select c.relname
        from pg_index i
        join pg_class c on c.oid = i.indexrelid
        where i.indrelid = to_regclass('public.' || quote_ident(:table))
        order by i.indexprs is null, i.indexrelid desc -- those of texts and words were declared last
    """)
    return list(connection.execute(query, {"table": table}).scalars())


def make_index(connection: Connection, build: Build, table: str, index: str) -> None:
    """Build one index on a build's table before the table is attached."""
    connection.execute(select(func.make_index(build.projection, build.number, table, index)))


def note_loaded(connection: Connection, build: Build, loaded: int, to_load: int) -> None:
    """Write down how many events of the log a build has, of how many."""
    statement = update(build_table).where(_build.projection == build.projection, _build.build == build.number)
    connection.execute(statement.values(loaded_events=loaded, events_to_load=to_load, moved_at=func.now()))


def attach(connection: Connection, build: Build, table: str) -> None:
    """Attach a loaded table as a partition of the projection's table, and build the indexes that it still lacks.

    Readers do not wait.
    """
    connection.execute(select(func.attach_build(build.projection, build.number, table)))


def analyze(connection: Connection, build: Build, table: str) -> None:
    """Collect the planner's statistics of a build's table."""
    connection.execute(select(func.analyze_build(build.projection, build.number, table)))


def go_live(connection: Connection, build: Build) -> None:
    """Let readers see this build from the commit on; the build that was live becomes the previous one."""
    connection.execute(select(func.make_live(build.projection, build.number)))


def drop_table(connection: Connection, build: Build, table: str) -> None:
    """Drop a table of a build that is not live. Raises after a short lock time-out if any build of it is read."""
    connection.execute(select(func.drop_build(build.projection, build.number, table)))


def forget(connection: Connection, build: Build) -> None:
    """Delete the row of a build whose tables are dropped. Its checkpoints, quarantine and unknown types cascade."""
    connection.execute(delete(build_table).where(_build.projection == build.projection, _build.build == build.number))


def _first(connection: Connection, projection: Projection) -> Build:
    """Make a projection's first build and let it go live. The row's lock lets only one of several programs do it."""
    name = projection.name
    connection.execute(select(projection_table).where(_pointer.projection == name).with_for_update(key_share=True))
    build = live(connection, name)
    if build is None:
        build = begin(connection, projection)
        for table in tables(connection, name):
            attach(connection, build, table)
        go_live(connection, build)
    return build
