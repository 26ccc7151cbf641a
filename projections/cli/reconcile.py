"""`rosterlog reconcile`: compares the roster with its own log, with a file of the organiser's, or with a number."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import click
from pydantic_core import to_json
from sqlalchemy import Connection, Engine, text

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_database
from ingest.cli.progress import progress
from ingest.cli.sources import source_of
from ingest.cli.terminal import printable, unicode
from ingest.database import OPERATOR_ROLE, WORKER_ROLE, sync_engine
from ingest.failures import WrongUsage
from ingest.log.read import heads
from ingest.session import LONG
from ingest.settings import Settings
from ingest.time_zone import time_zone
from projections.catalogue import catalogue
from projections.cli.differences import (
    difference_lines,
    print_agreement,
    print_applied,
    print_count,
    print_number,
    print_tally,
    say_look,
)
from projections.cli.file_options import FileOptions, file_options, look_of
from projections.cli.output import written
from projections.folding.projection import Projection
from projections.participants.fields import read_fields
from projections.truth.apply import apply_listing
from projections.truth.certificate import certificate_at
from projections.truth.comparison import compare_listing, scope_of
from projections.truth.drift import RosterDifference
from projections.truth.expected import count_roster
from projections.truth.guards import folded_build
from projections.truth.inner import count_within
from projections.truth.recomputed import recomputed
from projections.truth.roster_lines import ComparedScope


@click.command()
@click.option("--inner", is_flag=True, help="Compare the roster with its own log, by arithmetic.")
@click.option("--file", type=click.Path(path_type=Path), help="CSV, XLSX, JSON or NDJSON: who the source lists.")
@click.option("--event", "event_ids", multiple=True, metavar="ID", help="Only this event; several times. Default: all.")
@click.option("--expect", "expected", type=click.IntRange(0), help="How many are listed; alone, only that is compared.")
@file_options
@click.option(
    "--certificate",
    type=click.IntRange(1, 2**63 - 1),
    metavar="POSITION",
    help="Print the observation at this position, with the proof of its log, as JSON; with --file, compute it again.",
)
@click.option("--source", help="The roster of this source. Default: movemint, or the only source there is.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@settings_of
def reconcile(
    settings: Settings,
    event_ids: tuple[str, ...],
    file: Path | None,
    expected: int | None,
    of_file: FileOptions,
    certificate: int | None,
    source: str | None,
    *,
    inner: bool,
    as_json: bool,
) -> None:
    """Compare the roster with its own log, with a file that the source gives, or with a number.

    Changes nothing, unless --apply writes down what the file says of who is missing or differs.

    Exit code 0: it agrees; 1: it does not; 2: nothing is concluded, for a reason that is said.
    """
    events = tuple(dict.fromkeys(unicode(id_, "--event") for id_ in event_ids)) or None
    of_file.check(has_file=file is not None and certificate is None)
    if certificate is not None and (inner, expected, events) != (False, None, None):
        raise WrongUsage("--certificate is about what was compared: give it alone, or with --file or --source")
    if inner and (file, expected, events) != (None, None, None):
        raise WrongUsage("--inner compares whole sources: give it alone, or with --source")
    if certificate is not None:
        agrees = _certify(settings, source, certificate, file)
    elif inner:
        agrees = _count_within(settings, source, as_json=as_json)
    elif file is not None:
        agrees = _compare(settings, source, events, file, expected, of_file, as_json=as_json)
    elif expected is not None:
        agrees = _compare_number(settings, source, events, expected, as_json=as_json)
    else:
        raise WrongUsage("give --inner, --file FILE, or --expect N")
    raise SystemExit(0 if agrees else 1)


@contextmanager
def _snapshot(settings: Settings) -> Iterator[Connection]:
    """A connection that reads in one snapshot and changes nothing."""
    with migrated_database(settings) as conninfo, _reading(conninfo) as connection:
        yield connection


@contextmanager
def _reading(conninfo: str) -> Iterator[Connection]:
    with (
        _engine(conninfo, WORKER_ROLE) as engine,
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
    ):
        connection.execute(text("set transaction read only"))
        yield connection


@contextmanager
def _engine(conninfo: str, role: str) -> Iterator[Engine]:
    engine = sync_engine(conninfo, role, LONG)
    try:
        yield engine
    finally:
        engine.dispose()


def _participants(settings: Settings) -> Projection:
    participants, *_ = catalogue(settings.fields_file, settings.time_zone)
    return participants


def _certify(settings: Settings, source: str | None, position: int, file: Path | None) -> bool:
    with migrated_database(settings) as conninfo, _engine(conninfo, OPERATOR_ROLE) as operator:
        with operator.connect() as connection:
            logged = heads(connection)
        name = source_of(settings, source, logged)
        with progress(f"verifying {name}", logged.get(name, 0)) as advance:
            certificate = certificate_at(operator, name, position, advance)
    if file is None:
        click.echo(to_json(certificate.as_json()).decode())
        return certificate.holds
    declared = read_fields(settings.fields_file, time_zone(settings.time_zone))
    proof = recomputed(file, certificate.observation, declared)
    holds = certificate.holds and proof.holds
    click.echo(to_json({**certificate.as_json(), "holds": holds, "file": proof.as_json()}).decode())
    return holds


def _count_within(settings: Settings, source: str | None, *, as_json: bool) -> bool:
    with _snapshot(settings) as connection:
        logged = heads(connection)
        sources = sorted(logged) if source is None else [source_of(settings, source, logged)]
        build = folded_build(connection, _participants(settings))
        counts = [count_within(connection, build, each) for each in sources]
    is_complete = all(count.is_complete for count in counts)
    if as_json:
        click.echo(to_json({"complete": is_complete, "sources": [count.as_json() for count in counts]}).decode())
    else:
        for count in counts:
            print_count(count)
    return is_complete


def _compare(
    settings: Settings,
    source: str | None,
    events: tuple[str, ...] | None,
    file: Path,
    expected: int | None,
    given: FileOptions,
    *,
    as_json: bool,
) -> bool:
    declared = read_fields(settings.fields_file, time_zone(settings.time_zone))
    look = look_of(file, declared, expected, given)
    say_look(look, is_own_time=given.taken_at is None)
    with ExitStack() as stack:
        conninfo = stack.enter_context(migrated_database(settings, tells=given.applies and not as_json))
        connection = stack.enter_context(_reading(conninfo))
        name = source_of(settings, source, heads(connection))
        scope = scope_of(connection, _participants(settings), name, events)
        # Whatever hinders the conclusion leaves an earlier file as it was.
        take = difference_lines(stack.enter_context(written(given.output))) if given.output is not None else _nothing
        applied = None
        if given.applies:
            operator = stack.enter_context(_engine(conninfo, OPERATOR_ROLE))
            applied = apply_listing(connection, operator, scope, look, declared, given.allowed_drift, take, _following)
        tally = compare_listing(connection, scope, look, declared, take) if applied is None else applied.tally
    if as_json:
        applied_json = {} if applied is None else {"applied": applied.as_json()}
        document = {"source": name, "events": events, "taken_at": look.taken_at, **tally.as_json(), **applied_json}
        click.echo(to_json(document).decode())
    else:
        print_tally(tally, _in_words(scope))
        if applied is None:
            print_agreement(tally)
        else:
            print_applied(applied)
    return tally.agrees if applied is None else applied.agrees


def _following(people: int) -> AbstractContextManager[Callable[[int], None]]:
    return progress("writing down", people, "people")


def _nothing(_difference: RosterDifference) -> None:
    """Nobody asked for the differences one by one."""


def _compare_number(
    settings: Settings, source: str | None, events: tuple[str, ...] | None, expected: int, *, as_json: bool
) -> bool:
    with _snapshot(settings) as connection:
        name = source_of(settings, source, heads(connection))
        scope = scope_of(connection, _participants(settings), name, events)
        count = count_roster(connection, scope)
    agrees = count.people == expected
    if as_json:
        document = {"source": name, "events": events, "agrees": agrees, "position": count.position}
        click.echo(
            to_json(
                {**document, "expected": expected, "on_roster": count.people, "by_status": count.by_status}
            ).decode()
        )
    else:
        print_number(count, expected, _in_words(scope))
    return agrees


def _in_words(scope: ComparedScope) -> str:
    if scope.event_ids is None:
        return scope.source
    return (
        f"{scope.source}, event{'s' if len(scope.event_ids) > 1 else ''} {', '.join(map(printable, scope.event_ids))}"
    )
