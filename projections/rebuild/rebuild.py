"""A rebuild in its order: build beside the live build, compare, replace, go back. Commands, tests and bench call it."""

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
from projections.rebuild.drop import drop, drop_beside
from projections.rebuild.steps import Log
from projections.rebuild.swap import swap

Advance = Callable[[int], None]
Progress = Callable[[str, int], AbstractContextManager[Advance]]


@contextmanager
def unseen(_label: str, _length: int) -> Iterator[Advance]:
    """Shows no progress; the default of `Rebuild.progress`."""
    yield lambda _number: None


@dataclass(frozen=True, slots=True)
class Rebuild:
    """What a rebuild of one projection works with. `engine` is the worker's role.

    `jobs`: number of loaders. `limit`: events per batch. `progress`: shows how far a step is; gets a label and the
    number of events. `say`: gets lines for the person who runs the rebuild, such as which step begins.
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
    """The previous build cannot go live again, since another definition than this program's folded it."""


def load_by_processes(rebuild: Rebuild, build: Build, log: Log, advance: Advance) -> None:
    """Fold the log into the build, with `jobs` loaders."""
    shares = loaders.shares(log.heads, rebuild.jobs, divides=log.is_shared)
    loaders.run_loaders(rebuild.conninfo, build, _definition_of(rebuild), log.snapshot, shares, advance)


def _definition_of(rebuild: Rebuild) -> dict[str, str]:
    """What a loader needs to make the same projection."""
    file = {"fields_file": str(rebuild.fields_file.resolve())} if rebuild.fields_file else {}
    return {**file, "time_zone": rebuild.projection.calendar.time_zone.name}


def build_beside(rebuild: Rebuild, load: Load = load_by_processes) -> Build:
    """Make a new build that has caught up with the log, beside the live build. If a step fails the build is dropped.

    Raises `HoleInLog`, `LoaderFailed`, `CannotCatchUp`.
    """
    engine, projection = rebuild.engine, rebuild.projection
    build = steps.begin_build(engine, projection)
    try:
        with (
            steps.whole_log(engine) as log,
            rebuild.progress(f"folding {projection.name}", sum(log.heads.values())) as advance,
        ):
            load(rebuild, build, log, steps.noted(engine, build, sum(log.heads.values()), advance))
        rebuild.say(f"making the indexes of {projection.name}")
        steps.make_indexes(engine, projection, build, rebuild.jobs)
        steps.attach_tables(engine, projection, build, log.heads, rebuild.limit)
        _catch_up(rebuild, build)
    except BaseException:
        give_up(engine, build)
        raise
    return build


def give_up(engine: Engine, build: Build) -> None:
    """Drop a build that will not go live. If it cannot be dropped now, the next rebuild drops it."""
    with suppress(DBAPIError):  # the error that made the caller give up must not be replaced
        drop(engine, build)


def compare_with_live(rebuild: Rebuild, build: Build) -> list[TableDifference] | None:
    """The differences between the live build and this one, per table; None if there is no live build."""
    rebuild.say(f"comparing {rebuild.projection.name}")
    with rebuild.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        live = builds.live(connection, rebuild.projection.name)
        return compare(connection, rebuild.projection, live, build) if live else None


def replace(rebuild: Rebuild, build: Build) -> None:
    """Let readers see the build; the live build becomes the previous one. Raises `CannotSwap`."""
    swap(rebuild.engine, rebuild.projection, build, rebuild.limit)


def tidy_up(rebuild: Rebuild, build: Build) -> None:
    """Drop what is older than the previous build, and vacuum the live one. The rebuild is done, whatever fails here."""
    engine = rebuild.engine
    with suppress(DBAPIError):  # the next rebuild drops them; autovacuum comes by, too
        for message in drop_beside(engine, build.projection):
            rebuild.say(message)
        steps.vacuum_build(rebuild.conninfo, build)


def previous_build(rebuild: Rebuild) -> Build | None:
    """The build that was live before the live one; None if there is none. Raises `NoWayBack`."""
    name = rebuild.projection.name
    with rebuild.engine.connect() as connection:
        build = builds.previous(connection, name)
    if build is not None and build.definition != rebuild.projection.definition:
        raise NoWayBack(
            f"build {build.number} of {name} was folded by definition {build.definition}, and this program's is "
            f"{rebuild.projection.definition}: bring back that release, or ROSTERLOG_FIELDS and ROSTERLOG_TIME_ZONE as "
            "they were then, and run this again"
        )
    return build


def go_back(rebuild: Rebuild, build: Build) -> None:
    """Catch the previous build up with the log and let readers see it; the live build becomes the previous one.

    Raises `CannotCatchUp`, `CannotSwap`.
    """
    _catch_up(rebuild, build)
    swap(rebuild.engine, rebuild.projection, build, rebuild.limit)


def _catch_up(rebuild: Rebuild, build: Build) -> None:
    with rebuild.engine.connect() as connection:
        behind = lag(connection, build)
    with rebuild.progress(f"catching up {build.projection}", behind) as advance:
        catch_up(rebuild.engine, rebuild.projection, build, rebuild.limit, advance)
