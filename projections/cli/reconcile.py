"""`rosterlog reconcile`: compares the roster with its own log, with a file of the organiser's, or with a number."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import click
from pydantic_core import to_json
from sqlalchemy import Connection, Engine, text

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_database
from ingest.cli.progress import progress
from ingest.cli.sources import source_of
from ingest.cli.terminal import printable, say, unicode
from ingest.database import OPERATOR_ROLE, WORKER_ROLE, sync_engine
from ingest.failures import WrongUsage
from ingest.log.read import heads
from ingest.session import LONG
from ingest.settings import Settings
from ingest.time_zone import time_zone
from projections.catalogue import catalogue
from projections.cli.api_options import ApiOptions, api_look, api_options
from projections.cli.differences import (
    difference_lines,
    print_agreement,
    print_applied,
    print_count,
    print_number,
    print_tally,
    say_look,
    tally_line,
)
from projections.cli.every import look_again
from projections.cli.file_options import FileOptions, file_options, look_of
from projections.cli.output import written
from projections.folding.inner_completeness import note_inner
from projections.folding.projection import Projection
from projections.participants.fields import read_fields
from projections.truth.apply import AppliedLook, apply_listing
from projections.truth.certificate import certificate_at
from projections.truth.comparison import FileLook, compare_listing, scope_of
from projections.truth.drift import DriftTally, RosterDifference
from projections.truth.expected import count_roster
from projections.truth.guards import folded_build
from projections.truth.inner import count_within
from projections.truth.roster_lines import ComparedScope


@click.command()
@click.option("--inner", is_flag=True, help="Compare the roster with its own log, by arithmetic.")
@click.option("--file", type=click.Path(path_type=Path), help="CSV, XLSX, JSON or NDJSON: who the source lists.")
@click.option("--event", "event_ids", multiple=True, metavar="ID", help="Only this event; several times. Default: all.")
@click.option("--expect", "expected", type=click.IntRange(0), help="How many are listed; alone, only that is compared.")
@api_options
@file_options
@click.option(
    "--certificate",
    type=click.IntRange(1, 2**63 - 1),
    metavar="POSITION",
    help="Print the observation at this position, with the proof of its log, as JSON.",
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
    of_api: ApiOptions,
    certificate: int | None,
    source: str | None,
    *,
    inner: bool,
    as_json: bool,
) -> None:
    """Compare the roster with its own log, with a file or an API's list of the source's, or with a number.

    Changes nothing, unless --apply writes down what the list says of who is missing or differs.

    Exit code 0: it agrees; 1: it does not; 2: nothing is concluded, for a reason that is said.
    """
    events = tuple(dict.fromkeys(unicode(id_, "--event") for id_ in event_ids)) or None
    of_file.check(has_list=bool(file or of_api.config_file))
    of_api.check(of_file)
    if file is not None and of_api.config_file is not None:
        raise WrongUsage("give --file FILE or --api CONFIG, not both")
    if certificate is not None and (inner, file, of_api.config_file, expected, events) != (
        False,
        None,
        None,
        None,
        None,
    ):
        raise WrongUsage("--certificate is about what was compared: give it alone, or with --source")
    if inner and (file, of_api.config_file, expected, events) != (None, None, None, None):
        raise WrongUsage("--inner compares whole sources: give it alone, or with --source")
    if certificate is not None:
        agrees = _certify(settings, source, certificate)
    elif inner:
        agrees = _count_within(settings, source, as_json=as_json)
    elif file is not None or of_api.config_file is not None:
        compared = partial(_compare, settings, source, events, file, expected, of_file, of_api, as_json=as_json)
        if of_api.every is not None:
            look_again(of_api.every, lambda: compared().line(as_json=as_json))
        agrees = _printed(compared(), as_json=as_json)
    elif expected is not None:
        agrees = _compare_number(settings, source, events, expected, as_json=as_json)
    else:
        raise WrongUsage("give --inner, --file FILE, --api CONFIG, or --expect N")
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


def _certify(settings: Settings, source: str | None, position: int) -> bool:
    with migrated_database(settings) as conninfo, _engine(conninfo, OPERATOR_ROLE) as operator:
        with operator.connect() as connection:
            logged = heads(connection)
        name = source_of(settings, source, logged)
        with progress(f"verifying {name}", logged.get(name, 0)) as advance:
            certificate = certificate_at(operator, name, position, advance)
    click.echo(to_json(certificate.as_json()).decode())
    return certificate.holds


def _count_within(settings: Settings, source: str | None, *, as_json: bool) -> bool:
    with migrated_database(settings) as conninfo:
        with _reading(conninfo) as connection:
            logged = heads(connection)
            sources = sorted(logged) if source is None else [source_of(settings, source, logged)]
            build = folded_build(connection, _participants(settings))
            counts = [count_within(connection, build, each) for each in sources]
        with _engine(conninfo, WORKER_ROLE) as worker:
            is_noted = note_inner(worker, [(each.source, each.position, each.named, each.faults) for each in counts])
    if not is_noted:
        say("what was found could not be written down: metrics and status do not know of it")
    is_complete = all(count.is_complete for count in counts)
    if as_json:
        click.echo(to_json({"complete": is_complete, "sources": [count.as_json() for count in counts]}).decode())
    else:
        for count in counts:
            print_count(count)
    return is_complete


@dataclass(frozen=True, slots=True)
class _Compared:
    """A comparison with a list, and what was written down of it."""

    scope: ComparedScope
    look: FileLook
    tally: DriftTally
    applied: AppliedLook | None

    @property
    def agrees(self) -> bool:
        return self.tally.agrees if self.applied is None else self.applied.agrees

    def as_json(self) -> dict[str, object]:
        applied = {} if self.applied is None else {"applied": self.applied.as_json()}
        of_what = {"source": self.scope.source, "events": self.scope.event_ids, "taken_at": self.look.taken_at}
        return {**of_what, **self.tally.as_json(), **applied}

    def line(self, *, as_json: bool) -> str:
        if as_json:
            return to_json(self.as_json()).decode()
        return tally_line(self.tally, self.applied, _in_words(self.scope))


def _compare(
    settings: Settings,
    source: str | None,
    events: tuple[str, ...] | None,
    file: Path | None,
    expected: int | None,
    given: FileOptions,
    of_api: ApiOptions,
    *,
    as_json: bool,
) -> _Compared:
    declared = read_fields(settings.fields_file, time_zone(settings.time_zone))
    if file is not None:
        look = look_of(file, declared, expected, given)
        say_look(look, is_own_time=given.taken_at is None)
    with ExitStack() as stack:
        tells = given.applies and not as_json and of_api.every is None
        conninfo = stack.enter_context(migrated_database(settings, tells=tells))
        if file is None:
            clock = partial(_clock, settings, conninfo, source, events)
            look = stack.enter_context(api_look(of_api, given, events, expected, declared, clock)).look
        connection = stack.enter_context(_reading(conninfo))
        name = source_of(settings, source, heads(connection))
        scope = scope_of(connection, _participants(settings), name, events)
        # Whatever hinders the conclusion leaves an earlier file as it was.
        take = difference_lines(stack.enter_context(written(given.output))) if given.output is not None else _nothing
        if not given.applies:
            return _Compared(scope, look, compare_listing(connection, scope, look, declared, take), None)
        operator = stack.enter_context(_engine(conninfo, OPERATOR_ROLE))
        following = _following if of_api.every is None else _unseen
        applied = apply_listing(connection, operator, scope, look, declared, given.allowed, take, following)
        return _Compared(scope, look, applied.tally, applied)


def _clock(settings: Settings, conninfo: str, source: str | None, events: tuple[str, ...] | None) -> datetime:
    """The database's time, once it is known that there is a roster to compare a long list with."""
    with _reading(conninfo) as connection:
        scope_of(connection, _participants(settings), source_of(settings, source, heads(connection)), events)
        now: datetime = connection.execute(text("select clock_timestamp()")).scalar_one()
        return now


def _printed(compared: _Compared, *, as_json: bool) -> bool:
    if as_json:
        click.echo(compared.line(as_json=True))
        return compared.agrees
    print_tally(compared.tally, _in_words(compared.scope))
    if compared.applied is None:
        print_agreement(compared.tally, compared.look.listing.kind)
    else:
        print_applied(compared.applied, compared.look.listing.kind)
    return compared.agrees


def _following(people: int) -> AbstractContextManager[Callable[[int], None]]:
    return progress("writing down", people, "people")


@contextmanager
def _unseen(_people: int) -> Iterator[Callable[[int], None]]:
    yield lambda _number: None


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
