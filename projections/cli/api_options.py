"""The options of `rosterlog reconcile` about an API, and the look that is taken at it."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import wraps
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import click

from ingest.cli.progress import progress
from ingest.cli.terminal import printable, say, utc
from ingest.failures import WrongUsage
from projections.cli.differences import say_headings
from projections.cli.durations import Duration
from projections.cli.file_options import FileOptions, columns_of, file_look
from projections.participants.fields import Fields
from projections.participants.taken import ID_COLUMN
from projections.truth.absence import DirectAnswer
from projections.truth.api.client import ApiClient, Unanswered
from projections.truth.api.config import CEILING, EVENT, ApiConfig, read_config
from projections.truth.api.direct import direct_answers
from projections.truth.api.listed import (
    EVENT_COLUMN,
    configured_columns,
    listing_of_rows,
    of_rows_alone,
    with_event_of_list,
)
from projections.truth.api.reading import ListReading
from projections.truth.api.unfinished import Reached, Unfinished
from projections.truth.comparison import FileLook
from projections.truth.conclusion import NothingConcluded

_SHORTEST = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """What the command line says of an API. `state_dir`: where an unfinished reading is kept."""

    config_file: Path | None = None
    state_dir: Path | None = None
    every: timedelta | None = None

    def check(self, of_file: FileOptions) -> None:
        """Raise `WrongUsage` if an option lacks the one that it goes with."""
        if self.config_file is None and self != ApiOptions():
            raise WrongUsage("--every and --state-dir belong to --api CONFIG")
        if self.every is not None and self.every < _SHORTEST:
            raise WrongUsage("--every is a second or more")
        if self.config_file is not None and of_file.taken_at is not None:
            raise WrongUsage("--taken-at belongs to --file FILE: a list is taken when its first page is asked for")

    def check_config(self, environ: Mapping[str, str] = os.environ) -> None:
        """Raise `NothingConcluded` if the configuration cannot be read, or lacks a secret: no later look is better."""
        assert self.config_file is not None  # noqa: S101 - the caller has looked
        ApiClient(read_config(self.config_file), environ).close()


_OPTIONS = (
    click.option(
        "--api", "config_file", type=click.Path(path_type=Path), metavar="CONFIG",
        help="TOML: an API that lists who is registered.",
    ),
    click.option("--state-dir", type=click.Path(path_type=Path), help="Where to keep a list that is half read."),
    click.option("--every", type=Duration(), metavar="6h", help="Go on until stopped, with a look each 6 hours."),
)  # fmt: skip


def api_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options to a command, which gets what they say as `of_api`."""

    @wraps(command)
    def with_api(*args: Any, **given: Any) -> None:  # noqa: ANN401 - whatever the command takes
        said = {field.name: given.pop(field.name) for field in fields(ApiOptions)}
        command(*args, of_api=ApiOptions(**said), **given)

    for option in reversed(_OPTIONS):
        with_api = option(with_api)
    return with_api


class ApiLook(NamedTuple):
    """A look at an API. `answer`: what the address of a person says; None if there are no such addresses."""

    look: FileLook
    answer: DirectAnswer | None


@contextmanager
def api_look(
    options: ApiOptions,
    of_file: FileOptions,
    event_ids: tuple[str, ...] | None,
    expected: int | None,
    declared: Fields,
    clock: Callable[[], datetime],
    environ: Mapping[str, str] = os.environ,
) -> Iterator[ApiLook]:
    """The look that an API gives, once all of its pages are read; its rows go at the end of the block.

    `clock`: tells the time of the database, with which `taken_at` is compared. Raises `NothingConcluded`.
    """
    assert options.config_file is not None  # noqa: S101 - the caller has looked
    config = read_config(options.config_file)
    if EVENT in config.url and not event_ids:
        raise NothingConcluded(f"url has {EVENT}: name each event with --event")
    if config.columns:
        _check_events(config, config.columns, event_ids)
    with ExitStack() as stack:
        client = stack.enter_context(closing(ApiClient(config, environ, tell=say)))
        beside = options.config_file.absolute()
        if options.state_dir is not None:
            beside = options.state_dir / beside.name
        what = sha256("\n".join((config.digest, *(event_ids or ()))).encode()).hexdigest()
        now = clock()
        kept = stack.enter_context(closing(Unfinished(beside, what, now)))
        _say_kept(kept, tells=options.every is None)
        is_of_one_time = kept.reached is None or CEILING in config.url  # whoever registers meanwhile shifts the pages
        try:
            reached = _read(ListReading(config, client, declared, event_ids, kept), what, now, expected, options)
        except NothingConcluded as error:
            if not isinstance(error, Unanswered) or kept.reached is None:
                kept.discard()
            raise
        stack.callback(kept.discard)
        look = _look(config, client, kept, reached, of_file, expected, declared, tells=options.every is None)
        _check_events(config, look.look.columns, event_ids)
        yield look._replace(look=replace(look.look, is_of_one_time=is_of_one_time))


def _check_events(config: ApiConfig, columns: Mapping[str, str], event_ids: tuple[str, ...] | None) -> None:
    """Raise `NothingConcluded` if everybody would be said to be in the events that --event names."""
    if event_ids and EVENT not in config.url and EVENT_COLUMN not in columns.values():
        raise NothingConcluded(
            f"{config.place} is one list of all events, and does not say in which one each person is: put {EVENT} into "
            f"url where it has the event's id, or map a key to {EVENT_COLUMN}"
        )


def _say_kept(kept: Unfinished, *, tells: bool) -> None:
    if kept.why is not None:
        say(f"an earlier reading is not gone on with, since {kept.why}: it begins anew")
    elif kept.reached is not None and tells:
        say(f"an earlier reading of {utc(kept.reached.taken_at)} goes on after page {kept.reached.pages}")


def _read(reading: ListReading, what: str, now: datetime, expected: int | None, options: ApiOptions) -> Reached:
    """Read all pages, and show how far it is."""
    steps = reading.pages(what, now)
    reached = next(steps)
    first = next(steps, reached)  # which tells how many there are
    if options.every is not None:
        for later in steps:
            first = later
        return first
    with progress(f"reading {printable(reading.config.place)}", expected or first.total, "people") as advance:
        advance(first.rows)
        for later in steps:
            advance(later.rows - first.rows)
            first = later
    return first


def _look(
    config: ApiConfig,
    client: ApiClient,
    kept: Unfinished,
    reached: Reached,
    of_file: FileOptions,
    expected: int | None,
    declared: Fields,
    *,
    tells: bool,
) -> ApiLook:
    listing = listing_of_rows(config, kept, reached)
    if config.columns and of_file.map_file is not None:
        raise NothingConcluded("the configuration has columns: leave --map out")
    columns = with_event_of_list(
        configured_columns(config, listing)
        if config.columns
        else columns_of(of_rows_alone(listing), declared, of_file.map_file),
        listing,
    )
    look = file_look(listing, columns, reached.taken_at, expected, of_file)
    if tells:
        say(f"{printable(listing.called)}: {listing.form}; taken at {utc(look.taken_at)}, before the first of them")
        say_headings({key: column for key, column in columns.items() if column or not config.columns})
        others = [key for key, column in columns.items() if config.columns and not column]
        if others:
            say(f"  not compared: {printable(', '.join(others))}")
    id_key = next((key for key, column in columns.items() if column == ID_COLUMN), None)
    listed_id = next((row[id_key] for row in kept.rows() if row.get(id_key)), None) if id_key is not None else None
    if config.participant_url is None or listed_id is None:
        return ApiLook(look, None)
    return ApiLook(look, direct_answers(client, config.participant_url, listed_id))
