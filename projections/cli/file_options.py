"""The options of `rosterlog reconcile` about a file, and what they make of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import click

from ingest.cli.terminal import printable, say, utc
from ingest.failures import WrongUsage
from projections.cli.differences import say_headings
from projections.cli.durations import Duration
from projections.participants.fields import COLUMN_NAMES, Fields
from projections.truth.allowed_drift import AllowedDrift
from projections.truth.cells import date_forms
from projections.truth.comparison import FileLook
from projections.truth.conclusion import NothingConcluded
from projections.truth.listing import Listing, listing_of
from projections.truth.mapping import guessed, read_mapping, write_mapping
from projections.truth.matching import MATCHINGS


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
class FileOptions:
    """What the command line says of a file. `allowed`: columns in which many may be stale; `allowed_unlisted`: how many
    may be gone, if they are many.
    """

    map_file: Path | None = None
    taken_at: datetime | None = None
    match: str = "id"
    output: Path | None = None
    empties: frozenset[str] = frozenset()
    forms: tuple[str, ...] = ()
    applies: bool = False
    allowed: frozenset[str] = frozenset()
    allowed_unlisted: int | None = None
    grace: timedelta = timedelta(0)

    @property
    def allowed_drift(self) -> AllowedDrift:
        return AllowedDrift(self.allowed, self.allowed_unlisted or 0)

    def check(self, *, has_list: bool) -> None:
        """Raise `WrongUsage` if an option lacks the one that it goes with."""
        if not has_list and self != FileOptions():
            raise WrongUsage(
                "--map, --taken-at, --grace, --match, --output, --empty-means-empty, --date-format, --apply, "
                "--allow-stale, --allow-unlisted belong to --file FILE or --api CONFIG"
            )
        if (self.allowed or self.allowed_unlisted is not None) and not self.applies:
            raise WrongUsage("--allow-stale and --allow-unlisted go with --apply")


_OPTIONS = (
    click.option(
        "--map", "map_file", type=click.Path(path_type=Path),
        help="TOML: which column each heading is; made if not there.",
    ),
    click.option("--taken-at", type=_Moment(), help="When the file was taken. Default: when it was changed last."),
    click.option(
        "--grace", type=Duration(), default=timedelta(0), metavar="DURATION",
        help="Nobody is judged who changed since so long before the file was taken, such as 15m. Default: none.",
    ),
    click.option(
        "--match", default="id", show_default=True, type=click.Choice([*MATCHINGS]), help="What people are found by."
    ),
    click.option(
        "--output", type=click.Path(path_type=Path), help="Write all differences to a CSV, with personal data."
    ),
    click.option(
        "--empty-means-empty", "empties", multiple=True, metavar="COLUMN", type=click.Choice(COLUMN_NAMES),
        help="An empty cell of this column says that there is no value.",
    ),
    click.option("--date-format", metavar="FORM", help="Of dates that are not ISO, such as DD/MM/YYYY."),
    click.option("--apply", "applies", is_flag=True, help="Write down who is missing, stale, or gone."),
    click.option(
        "--allow-stale", "allowed", multiple=True, metavar="COLUMN", type=click.Choice(COLUMN_NAMES),
        help="Write down a column in which more than 5 % are stale.",
    ),
    click.option(
        "--allow-unlisted", "allowed_unlisted", type=click.IntRange(1), metavar="N",
        help="Write down that so many are gone, if more than 5 % are not listed.",
    ),
)  # fmt: skip
_NAMES = tuple(field.name for field in fields(FileOptions) if field.name not in ("forms", "empties", "allowed"))


def file_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options to a command, which gets what they say as `of_file`."""

    @wraps(command)
    def with_file(*args: Any, **given: Any) -> None:  # noqa: ANN401 - whatever the command takes
        pattern = given.pop("date_format")
        forms = date_forms(pattern) if pattern is not None else ()
        said = {name: given.pop(name) for name in _NAMES}
        said |= {name: frozenset(given.pop(name)) for name in ("empties", "allowed")}
        command(*args, of_file=FileOptions(**said, forms=forms), **given)

    for option in reversed(_OPTIONS):
        with_file = option(with_file)
    return with_file


def look_of(file: Path, declared: Fields, expected: int | None, given: FileOptions) -> FileLook:
    """The look that a file and its options are. Raises `NothingConcluded`."""
    try:
        listing = listing_of(file)
    except OSError as error:
        raise NothingConcluded(f"{printable(str(file))} cannot be read: {error.strerror}") from None
    taken_at = given.taken_at or listing.changed_at
    if taken_at > datetime.now(UTC):
        raise NothingConcluded(f"{utc(taken_at)} is not over yet: give --taken-at as it is")
    look = file_look(listing, columns_of(listing, declared, given.map_file), taken_at, expected, given)
    return replace(look, has_file_time=given.taken_at is None)


def file_look(
    listing: Listing, columns: Mapping[str, str], taken_at: datetime, expected: int | None, given: FileOptions
) -> FileLook:
    """The look at a listing of which is known which heading is which column. Raises `NothingConcluded`."""
    missing = next((column for column in given.empties if column not in columns.values()), None)
    if missing is not None:
        raise NothingConcluded(f"--empty-means-empty {missing}: no heading is {missing}")
    matching = MATCHINGS[given.match]
    return FileLook(listing, columns, matching, taken_at, given.forms, given.empties, expected, given.grace)


def columns_of(listing: Listing, declared: Fields, map_file: Path | None) -> Mapping[str, str]:
    """Which column each heading is. Raises `NothingConcluded` for a heading of which that is not known."""
    if map_file is not None and map_file.exists():
        mapping = read_mapping(map_file, listing.headings)
        where = f"add a line for it to {map_file}"
    else:
        mapping = guessed(listing.headings, declared)
        where = '--map FILE makes a file with all headings, in which each gets its column, or "" for none'
        if map_file is not None:
            try:
                write_mapping(map_file, mapping)
            except OSError as error:
                raise NothingConcluded(
                    f"{printable(str(map_file))} cannot be written: {error.strerror}; give --map another folder"
                ) from None
            say(f"{printable(str(map_file))} is made")
            where = f'give each a column in {map_file}, or leave "" where it is none, and run it again'
    if mapping.unknown:
        say_headings(mapping.columns)
        unknown = ", ".join(map(repr, mapping.unknown))
        raise NothingConcluded(f"no column is known for {printable(unknown)}: {where}")
    return mapping.columns
