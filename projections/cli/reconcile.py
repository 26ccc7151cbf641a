"""`rosterlog reconcile`: compares the roster with its own log, with a file of the organiser's, or with a number."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from pydantic_core import to_json
from sqlalchemy import Connection, text

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_engine
from ingest.cli.sources import source_of
from ingest.cli.terminal import printable, say, unicode, utc
from ingest.database import WORKER_ROLE
from ingest.failures import WrongUsage
from ingest.log.read import heads
from ingest.session import LONG
from ingest.settings import Settings
from ingest.time_zone import time_zone
from projections.catalogue import catalogue
from projections.cli.differences import difference_lines, print_count, print_number, print_tally, say_headings, say_look
from projections.cli.output import written
from projections.folding.projection import Projection
from projections.participants.fields import COLUMN_NAMES, Fields, read_fields
from projections.truth.cells import date_forms
from projections.truth.comparison import FileLook, compare_listing, scope_of
from projections.truth.conclusion import NothingConcluded
from projections.truth.drift import RosterDifference
from projections.truth.expected import count_roster
from projections.truth.guards import folded_build
from projections.truth.inner import count_within
from projections.truth.listing import Listing, listing_of
from projections.truth.mapping import guessed, read_mapping, write_mapping
from projections.truth.matching import MATCHINGS
from projections.truth.roster_lines import ComparedScope


class _Moment(click.ParamType[datetime]):
    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.fail("a time has its zone, such as 2026-05-03T10:00:00Z", param, ctx)
        return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class _OfFile:
    """What the command line says of a file."""

    map_file: Path | None = None
    taken_at: datetime | None = None
    match: str = "id"
    output: Path | None = None
    empties: frozenset[str] = frozenset()
    forms: tuple[str, ...] = ()


@click.command()
@click.option("--inner", is_flag=True, help="Compare the roster with its own log, by arithmetic.")
@click.option("--file", type=click.Path(path_type=Path), help="CSV, XLSX, JSON or NDJSON: who the source lists.")
@click.option(
    "--map", "map_file", type=click.Path(path_type=Path), help="TOML: which column each heading is; made if not there."
)
@click.option("--event", "event_ids", multiple=True, metavar="ID", help="Only this event; several times. Default: all.")
@click.option("--taken-at", type=_Moment(), help="When the file was taken. Default: when it was changed last.")
@click.option(
    "--match", default="id", show_default=True, type=click.Choice([*MATCHINGS]), help="What people are found by."
)
@click.option("--expect", "expected", type=click.IntRange(0), help="How many are listed; alone, only that is compared.")
@click.option("--output", type=click.Path(path_type=Path), help="Write all differences to a CSV, with personal data.")
@click.option(
    "--empty-means-empty", "empties", multiple=True, metavar="COLUMN", type=click.Choice(COLUMN_NAMES),
    help="An empty cell of this column says that there is no value.",
)  # fmt: skip
@click.option("--date-format", metavar="FORM", help="Of dates that are not ISO, such as DD/MM/YYYY.")
@click.option("--source", help="The roster of this source. Default: movemint, or the only source there is.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@settings_of
def reconcile(
    settings: Settings,
    event_ids: tuple[str, ...],
    file: Path | None,
    map_file: Path | None,
    taken_at: datetime | None,
    match: str,
    expected: int | None,
    output: Path | None,
    empties: tuple[str, ...],
    date_format: str | None,
    source: str | None,
    *,
    inner: bool,
    as_json: bool,
) -> None:
    """Compare the roster with its own log, with a file that the source gives, or with a number. Changes nothing.

    Exit code 0: it agrees; 1: it does not; 2: nothing is concluded, for a reason that is said.
    """
    events = tuple(dict.fromkeys(unicode(id_, "--event") for id_ in event_ids)) or None
    forms = date_forms(date_format) if date_format is not None else ()
    of_file = _OfFile(map_file, taken_at, match, output, frozenset(empties), forms)
    if file is None and of_file != _OfFile():
        raise WrongUsage(
            "--map, --taken-at, --match, --output, --empty-means-empty, --date-format belong to --file FILE"
        )
    if inner and (file, expected, events) != (None, None, None):
        raise WrongUsage("--inner compares whole sources: give it alone, or with --source")
    if inner:
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
    with (
        migrated_engine(settings, WORKER_ROLE, LONG) as engine,
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
    ):
        connection.execute(text("set transaction read only"))
        yield connection


def _participants(settings: Settings) -> Projection:
    participants, *_ = catalogue(settings.fields_file, settings.time_zone)
    return participants


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
    given: _OfFile,
    *,
    as_json: bool,
) -> bool:
    declared = read_fields(settings.fields_file, time_zone(settings.time_zone))
    look = _look(file, declared, expected, given)
    say_look(look, is_own_time=given.taken_at is None)
    with ExitStack() as stack:
        connection = stack.enter_context(_snapshot(settings))
        name = source_of(settings, source, heads(connection))
        scope = scope_of(connection, _participants(settings), name, events)
        # Whatever hinders the conclusion leaves an earlier file as it was.
        take = difference_lines(stack.enter_context(written(given.output))) if given.output is not None else _nothing
        tally = compare_listing(connection, scope, look, declared, take)
    if as_json:
        click.echo(to_json({"source": name, "events": events, "taken_at": look.taken_at, **tally.as_json()}).decode())
    else:
        print_tally(tally, _in_words(scope))
    return tally.agrees


def _nothing(_difference: RosterDifference) -> None:
    """Nobody asked for the differences one by one."""


def _look(file: Path, declared: Fields, expected: int | None, given: _OfFile) -> FileLook:
    try:
        listing = listing_of(file)
    except OSError as error:
        raise NothingConcluded(f"{printable(str(file))} cannot be read: {error.strerror}") from None
    taken_at = given.taken_at or listing.changed_at
    if taken_at > datetime.now(UTC):
        raise NothingConcluded(f"{utc(taken_at)} is not over yet: give --taken-at as it is")
    columns = _columns(listing, declared, given.map_file)
    missing = next((column for column in given.empties if column not in columns.values()), None)
    if missing is not None:
        raise NothingConcluded(f"--empty-means-empty {missing}: no heading is {missing}")
    matching = MATCHINGS[given.match]
    return FileLook(listing, columns, matching, taken_at, given.forms, given.empties, expected)


def _columns(listing: Listing, declared: Fields, map_file: Path | None) -> Mapping[str, str]:
    """Which column each heading is. Raises `NothingConcluded` for a heading of which that is not known."""
    if map_file is not None and map_file.exists():
        mapping = read_mapping(map_file, listing.headings)
        where = f"add a line for it to {map_file}"
    else:
        mapping = guessed(listing.headings, declared)
        where = '--map FILE makes a file with all headings, in which each gets its column, or "" for none'
        if map_file is not None:
            write_mapping(map_file, mapping)
            say(f"{printable(str(map_file))} is made")
            where = f'give each a column in {map_file}, or leave "" where it is none, and run it again'
    if mapping.unknown:
        say_headings(mapping.columns)
        unknown = ", ".join(map(repr, mapping.unknown))
        raise NothingConcluded(f"no column is known for {printable(unknown)}: {where}")
    return mapping.columns


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
