"""A rebuild from its first table to readers seeing it: what the command, the tests and the bench call."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from ingest.failures import WrongUsage
from projections.folding import builds
from projections.folding.projection import Build, Projection
from projections.rebuild import loaders, steps
from projections.rebuild.catch_up import catch_up, lag
from projections.rebuild.compare import TableDifference, compare
from projections.rebuild.steps import Log
from projections.rebuild.swap import drop, drop_beside, swap

Advance = Callable[[int], None]
Progress = Callable[[str, int], AbstractContextManager[Advance]]


@contextmanager
def unseen(_label: str, _length: int) -> Iterator[Advance]:
    """The progress of a rebuild that nobody watches."""
    yield lambda _number: None


@dataclass(frozen=True, slots=True)
class Rebuild:
    """What a rebuild of one projection works with; `engine` is the worker's role.

    `jobs`: processes that load. `limit`: events in one batch. `progress`: given a label and a length, tells how far a
    step is. `say`: is told which step has begun.
    """

    engine: Engine
    conninfo: str
    projection: Projection
    fields_file: Path | None
    jobs: int
    limit: int
    progress: Progress = unseen
    say: Callable[[str], None] = lambda _line: None


Load = Callable[[Rebuild, Build, Log, Advance], None]


class NoWayBack(WrongUsage):
    """There is no earlier build to bring back, or this program's definition is not the one that folded it."""


def load_by_processes(rebuild: Rebuild, build: Build, log: Log, advance: Advance) -> None:
    """Fold the log into the build, in as many processes as the rebuild has jobs."""
    shares = loaders.shares(log.heads, rebuild.jobs)
    loaders.run_loaders(rebuild.conninfo, build, rebuild.fields_file, log.snapshot, shares, advance)


def build_beside(rebuild: Rebuild, load: Load = load_by_processes) -> Build:
    """A new build that has reached the end of the log, beside the live one. What fails leaves nothing behind.

    Raises `HoleInLog`, `LoaderFailed`, `CannotCatchUp`.
    """
    engine, projection = rebuild.engine, rebuild.projection
    build = steps.begin_build(engine, projection)
    try:
        with (
            steps.whole_log(engine) as log,
            rebuild.progress(f"folding {projection.name}", sum(log.heads.values())) as advance,
        ):
            load(rebuild, build, log, advance)
        rebuild.say(f"making the indexes of {projection.name}")
        steps.make_indexes(engine, projection, build, rebuild.jobs)
        steps.attach_tables(engine, projection, build, log.heads, rebuild.limit)
        _catch_up(rebuild, build)
    except BaseException:
        give_up(engine, build)
        raise
    return build


def give_up(engine: Engine, build: Build) -> None:
    """Drop a build that is not to go live. What cannot be dropped now, the next rebuild drops."""
    with suppress(DBAPIError):  # what is wrong is being told already
        drop(engine, build)


def compare_with_live(rebuild: Rebuild, build: Build) -> list[TableDifference] | None:
    """The differences of each table from the live build's; None if there is no live build."""
    rebuild.say(f"comparing {rebuild.projection.name}")
    with rebuild.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        live = builds.live(connection, rebuild.projection.name)
        return compare(connection, rebuild.projection, live, build) if live else None


def replace(rebuild: Rebuild, build: Build) -> None:
    """Let readers see the build; the live one becomes the previous one, and the one before that is dropped.

    Raises `CannotSwap`.
    """
    engine = rebuild.engine
    swap(engine, rebuild.projection, build, rebuild.limit)
    for held_back in drop_beside(engine, build.projection):
        rebuild.say(held_back)
    # The rebuild is done whatever becomes of this; autovacuum comes by, too.
    with suppress(DBAPIError), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        steps.vacuum_build(connection, build)


def previous_build(rebuild: Rebuild) -> Build | None:
    """The build that readers saw before the live one; None if there is none. Raises `NoWayBack`."""
    name = rebuild.projection.name
    with rebuild.engine.connect() as connection:
        build = builds.previous(connection, name)
    if build is not None and build.definition != rebuild.projection.definition:
        raise NoWayBack(
            f"build {build.number} of {name} was folded by definition {build.definition}, and this program's is "
            f"{rebuild.projection.definition}: bring back that release, or that file of ROSTERLOG_FIELDS, and run this "
            "again"
        )
    return build


def go_back(rebuild: Rebuild, build: Build) -> None:
    """Let readers see the previous build again, caught up with the log; the live one becomes the previous one."""
    _catch_up(rebuild, build)
    swap(rebuild.engine, rebuild.projection, build, rebuild.limit)


def _catch_up(rebuild: Rebuild, build: Build) -> None:
    with rebuild.engine.connect() as connection:
        behind = lag(connection, build)
    with rebuild.progress(f"catching up {build.projection}", behind) as advance:
        catch_up(rebuild.engine, rebuild.projection, build, rebuild.limit, advance)
