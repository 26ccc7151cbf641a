"""`rosterlog rebuild`: folds a projection anew, shows what differs, and swaps, or goes back to the build before."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import click
from sqlalchemy import Engine

from ingest.cli.group import settings_of
from ingest.cli.invocation import runnable
from ingest.cli.opening import migrated_database
from ingest.cli.progress import progress
from ingest.cli.terminal import ask, printable, say
from ingest.database import WORKER_ROLE, advice_about, sync_engine
from ingest.failures import Failure, WrongUsage
from ingest.session import LONG
from ingest.settings import Settings
from ingest.sqlstate import DRIVER_ERRORS, unusable
from projections.catalogue import catalogue
from projections.folding import builds
from projections.folding.projection import Build, Projection
from projections.rebuild import steps
from projections.rebuild.compare import MOST_EXAMPLES, TableDifference
from projections.rebuild.rebuild import (
    Rebuild,
    build_beside,
    compare_with_live,
    give_up,
    go_back,
    previous_build,
    replace,
    tidy_up,
)


@click.command()
@click.argument("projection", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--diff", "only_compare", is_flag=True, help="Stop after the comparison; nothing is changed.")
@click.option("--rollback", is_flag=True, help="Catch up the build that was live before, and swap back to it.")
@click.option("--jobs", type=click.IntRange(1, 16), help="Processes that fold. Default: one per core, 4 at most.")
@settings_of
def rebuild(
    settings: Settings, projection: str | None, jobs: int | None, *, yes: bool, only_compare: bool, rollback: bool
) -> None:
    """Fold the whole log into a new build of a projection, compare it with the live build, and let readers see it.

    Without a name: every projection. Until the swap the live build serves readers and follows the log. After it, that
    build is kept for --rollback.
    """
    if rollback and only_compare:
        raise WrongUsage("--rollback compares nothing: give it without --diff")
    chosen = _chosen(catalogue(settings.fields_file, settings.time_zone), projection)
    with (
        migrated_database(settings, tells=True, is_direct=True) as conninfo,
        _engine(conninfo) as engine,
        _errors(settings),
        ExitStack() as locks,
    ):
        for each in chosen:
            for warning in locks.enter_context(steps.only_one(engine, each.name)):
                say(warning)
        rebuild_of = partial(
            Rebuild, engine, conninfo, fields_file=settings.fields_file, jobs=jobs or steps.default_jobs(),
            limit=settings.batch_size, progress=progress, say=say,
        )  # fmt: skip
        rebuilds = [rebuild_of(projection=each) for each in chosen]
        if rollback:
            _roll_back(rebuilds)
            return
        done = [_rebuild(each, yes=yes, only_compare=only_compare) for each in rebuilds]
    if not all(done):
        raise SystemExit(1)


@contextmanager
def _errors(settings: Settings) -> Iterator[None]:
    try:
        yield
    except DRIVER_ERRORS as error:
        why = unusable(error, advice_about(settings))
        raise Failure(f"{why}; readers have a whole roster all the same: run the rebuild again") from None


@contextmanager
def _engine(conninfo: str) -> Iterator[Engine]:
    engine = sync_engine(conninfo, WORKER_ROLE, LONG)
    try:
        yield engine
    finally:
        engine.dispose()


def _chosen(projections: Sequence[Projection], name: str | None) -> Sequence[Projection]:
    chosen = [projection for projection in projections if name in (None, projection.name)]
    if not chosen:
        names = ", ".join(projection.name for projection in projections)
        raise WrongUsage(f"there is no projection {printable(name)}; there is {names}")
    return chosen


def _rebuild(rebuild: Rebuild, *, yes: bool, only_compare: bool) -> bool:
    """Give False if the person at the terminal did not agree to the swap."""
    build = build_beside(rebuild)
    is_live = False
    try:
        _print_differences(rebuild.projection.name, compare_with_live(rebuild, build))
        if not only_compare and (yes or _agreed(rebuild.projection.name)):
            replace(rebuild, build)
            is_live = True
    finally:
        if not is_live:
            give_up(rebuild.engine, build)
    if is_live:
        click.echo(f"{build.projection}: build {build.number} is live{_way_back(rebuild.engine, build)}")
        tidy_up(rebuild, build)
    elif not only_compare:
        say(f"{build.projection}: nothing was changed")
    return is_live or only_compare


def _agreed(name: str) -> bool:
    unanswered = "nobody answered, so nothing was changed: add --yes where nobody can be asked"
    return ask(f"Let readers see the new {name}?", unanswered)


def _way_back(engine: Engine, live: Build) -> str:
    with engine.connect() as connection:
        before = builds.previous(connection, live.projection)
    if before is None:
        return ""
    then = "" if before.definition == live.definition else ", with the release and the settings as they were then"
    return runnable(f"; rosterlog rebuild {live.projection} --rollback brings back build {before.number}{then}")


def _roll_back(rebuilds: Sequence[Rebuild]) -> None:
    with_previous = [(rebuild, previous_build(rebuild)) for rebuild in rebuilds]
    possible = [(rebuild, build) for rebuild, build in with_previous if build is not None]
    if not possible:
        names = ", ".join(rebuild.projection.name for rebuild in rebuilds)
        raise WrongUsage(f"there is no build of {names} to go back to")
    for rebuild, build in possible:
        go_back(rebuild, build)
        click.echo(f"{build.projection}: build {build.number} is live again{_way_back(rebuild.engine, build)}")


def _print_differences(name: str, differences: Sequence[TableDifference] | None) -> None:
    if differences is None:
        click.echo(f"{name}: there is no live build to compare with")
    for difference in differences or ():
        _print(difference)


def _print(difference: TableDifference) -> None:
    added, removed, changed = difference.added, difference.removed, difference.changed
    click.echo(f"{difference.table}: {added} added, {removed} removed, {changed} changed")
    for column, number in sorted(difference.columns.items(), key=lambda item: (-item[1], item[0])):
        click.echo(f"  {column}: {number} changed")
    for example in difference.examples:
        columns = f": {example.columns}" if example.columns else ""
        click.echo(f"  {example.kind} {printable(example.id)} of {example.source}{columns}")
    if max(added, removed, changed) > MOST_EXAMPLES:
        click.echo(f"  (of each kind the first {MOST_EXAMPLES})")
    if difference.later:
        click.echo(
            f"  {difference.later} more come from events that only one of the two has reached, and were not compared"
        )
