"""`rosterlog rebuild`."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

import click
import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_database
from ingest.cli.progress import progress
from ingest.cli.terminal import ask, printable, say
from ingest.database import WORKER_ROLE, sync_engine
from ingest.failures import Problem, WrongUsage
from ingest.settings import Settings
from ingest.sqlstate import unusable
from projections.cli.definition import projections_of
from projections.folding import builds
from projections.folding.builds import Build
from projections.folding.projection import Projection
from projections.rebuild import steps
from projections.rebuild.catch_up import CannotCatchUp, catch_up, lag
from projections.rebuild.compare import MOST_EXAMPLES, Difference, compare
from projections.rebuild.loaders import JobFailed
from projections.rebuild.steps import AnotherRebuild
from projections.rebuild.swap import CannotSwap, drop, swap


@click.command()
@click.argument("projection", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--diff", "only_compare", is_flag=True, help="Stop after the comparison; nothing is changed.")
@click.option("--rollback", is_flag=True, help="Bring back the build that was live before, caught up with the log.")
@click.option("--jobs", type=click.IntRange(1, 16), help="Processes that fold. Default: one a core, 4 at the most.")
@settings_of
def rebuild(
    settings: Settings, projection: str | None, jobs: int | None, *, yes: bool, only_compare: bool, rollback: bool
) -> None:
    """Fold a projection from the log anew, compare it with the live one, and let readers see it.

    Without a name, each projection. The live one serves readers and follows the log meanwhile. The one before stays for
    --rollback.
    """
    if rollback and only_compare:
        raise WrongUsage("--rollback compares nothing: give it without --diff")
    chosen = _chosen(projections_of(settings), projection)
    with migrated_database(settings) as conninfo, _engine(conninfo) as engine, _problems(), ExitStack() as alone:
        for one in chosen:
            for held_back in alone.enter_context(steps.only_one(engine, one.name)):
                say(held_back)
        if rollback:
            _roll_back(engine, chosen, settings.batch_size)
            return
        done = [
            _Rebuild(settings, conninfo, engine, one, jobs or steps.default_jobs()).run(
                yes=yes, only_compare=only_compare
            )
            for one in chosen
        ]
    if not all(done):
        raise SystemExit(1)


@contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except (AnotherRebuild, CannotCatchUp, CannotSwap, JobFailed) as error:
        raise Problem(str(error)) from None
    except (DBAPIError, psycopg.OperationalError) as error:
        raise Problem(f"{unusable(error)}; readers have a whole roster all the same: run the rebuild again") from None


@contextmanager
def _engine(conninfo: str) -> Iterator[Engine]:
    engine = sync_engine(conninfo, WORKER_ROLE)
    try:
        yield engine
    finally:
        engine.dispose()


def _chosen(projections: Sequence[Projection], name: str | None) -> Sequence[Projection]:
    found = [one for one in projections if name in (None, one.name)]
    if not found:
        names = ", ".join(one.name for one in projections)
        raise WrongUsage(f"there is no projection {printable(name)}; there is {names}")
    return found


class _Rebuild:
    """One rebuild of one projection, from the new build's first table to its being live, or dropped again."""

    def __init__(self, settings: Settings, conninfo: str, engine: Engine, projection: Projection, jobs: int) -> None:
        self._settings = settings
        self._conninfo = conninfo
        self._engine = engine
        self._projection = projection
        self._jobs = jobs

    def run(self, *, yes: bool, only_compare: bool) -> bool:
        """Gives false if somebody was asked and did not agree."""
        build = steps.begin(self._engine, self._projection)
        is_live = False
        try:
            self._fill(build)
            self._compare(build)
            if not only_compare and (yes or self._agreed()):
                swap(self._engine, self._projection, build, self._settings.batch_size)
                is_live = True
        finally:
            if not is_live:
                with suppress(DBAPIError):  # the next rebuild drops it, and what is wrong is being told already
                    drop(self._engine, build)
        if is_live:
            self._finish(build)
        elif not only_compare:
            say(f"{self._projection.name}: nothing was changed")
        return is_live or only_compare

    def _fill(self, build: Build) -> None:
        name, settings = self._projection.name, self._settings
        with steps.whole_log(self._engine) as log, progress(f"folding {name}", sum(log.heads.values())) as advance:
            steps.load(self._conninfo, build, settings.fields_file, log, self._jobs, advance)
        say(f"making the indexes of {name}")
        steps.make_indexes(self._engine, self._projection, build, self._jobs)
        steps.attach(self._engine, self._projection, build, log.heads, self._settings.batch_size)
        with self._engine.connect() as connection:
            behind = lag(connection, build)
        with progress(f"catching up {name}", behind) as advance:
            catch_up(self._engine, self._projection, build, self._settings.batch_size, advance)

    def _compare(self, build: Build) -> None:
        say(f"comparing {self._projection.name}")
        with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            live = builds.live(connection, self._projection.name)
            found = compare(connection, self._projection, live, build) if live else []
        if live is None:
            click.echo(f"{self._projection.name}: there is no live build to compare with")
        for difference in found:
            _print(difference)

    def _agreed(self) -> bool:
        question = f"Let readers see the new {self._projection.name}?"
        return ask(question, "nobody answered, so nothing was changed: add --yes where nobody can be asked")

    def _finish(self, build: Build) -> None:
        name = self._projection.name
        click.echo(f"{name}: build {build.number} is live{_way_back(self._engine, build)}")
        for held_back in steps.drop_beside(self._engine, name):
            say(held_back)
        _sweep(self._engine, build)


def _way_back(engine: Engine, live: Build) -> str:
    with engine.connect() as connection:
        before = builds.previous(connection, live.projection)
    if before is None:
        return ""
    then = "" if before.version == live.version else ", with ROSTERLOG_FIELDS or the release as they were then"
    return f"; rosterlog rebuild {live.projection} --rollback brings back build {before.number}{then}"


def _sweep(engine: Engine, build: Build) -> None:
    """The rebuild is done whatever becomes of this; autovacuum comes by, too."""
    with suppress(DBAPIError), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        steps.sweep(connection, build)


def _roll_back(engine: Engine, chosen: Sequence[Projection], limit: int) -> None:
    with engine.connect() as connection:
        before = [(one, builds.previous(connection, one.name)) for one in chosen]
    to_bring_back = [(one, build) for one, build in before if build is not None]
    if not to_bring_back:
        raise WrongUsage(f"there is no build of {', '.join(one.name for one in chosen)} to go back to")
    for one, build in to_bring_back:
        if build.version != one.version:
            raise WrongUsage(
                f"build {build.number} of {one.name} was folded by definition {build.version}, and this program's is "
                f"{one.version}: bring back that release, or that file of ROSTERLOG_FIELDS, and run this again"
            )
    for one, build in to_bring_back:
        with engine.connect() as connection:
            behind = lag(connection, build)
        with progress(f"catching up {one.name}", behind) as advance:
            catch_up(engine, one, build, limit, advance)
        swap(engine, one, build, limit)
        click.echo(f"{one.name}: build {build.number} is live again{_way_back(engine, build)}")


def _print(found: Difference) -> None:
    click.echo(f"{found.table}: {found.added} added, {found.removed} removed, {found.changed} changed")
    for column, number in sorted(found.columns.items(), key=lambda item: (-item[1], item[0])):
        click.echo(f"  {column}: {number} changed")
    for one in found.examples:
        which = f": {one.columns}" if one.columns else ""
        click.echo(f"  {one.kind} {printable(one.id)} of {one.source}{which}")
    if max(found.added, found.removed, found.changed) > MOST_EXAMPLES:
        click.echo(f"  (of each kind the first {MOST_EXAMPLES})")
    if found.later:
        click.echo(f"  {found.later} more come from events that only one of the two has reached, and were not compared")
