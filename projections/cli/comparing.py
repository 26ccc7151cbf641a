"""One comparison of the roster with a file or with a list of an API, as a command makes it and prints it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import click
from pydantic_core import to_json
from sqlalchemy import Engine, text

from ingest.cli.opening import migrated_database
from ingest.cli.progress import progress
from ingest.cli.sources import source_of
from ingest.cli.terminal import printable
from ingest.database import OPERATOR_ROLE
from ingest.failures import Failure, WrongUsage
from ingest.log.failed_look import note_failed, note_succeeded
from ingest.log.read import heads
from ingest.settings import Settings
from ingest.sqlstate import DRIVER_ERRORS
from ingest.time_zone import time_zone
from projections.cli.api_options import ApiOptions, api_look
from projections.cli.differences import (
    difference_lines,
    print_agreement,
    print_applied,
    print_tally,
    say_look,
    tally_line,
)
from projections.cli.file_options import FileOptions, look_of
from projections.cli.output import written
from projections.cli.snapshots import participants_projection, reading_snapshot, role_engine
from projections.participants.fields import read_fields
from projections.truth.absence import DirectAnswer
from projections.truth.apply import AppliedLook, apply_listing
from projections.truth.comparison import FileLook, compare_listing, scope_of
from projections.truth.conclusion import NothingConcluded
from projections.truth.drift import DriftTally, RosterDifference
from projections.truth.roster_lines import ComparedScope


@dataclass(frozen=True, slots=True)
class ComparedList:
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
        return tally_line(self.tally, self.applied, scope_in_words(self.scope))


def compare_list(
    settings: Settings,
    source: str | None,
    events: tuple[str, ...] | None,
    file: Path | None,
    expected: int | None,
    given: FileOptions,
    of_api: ApiOptions,
    *,
    as_json: bool,
) -> ComparedList:
    answer: DirectAnswer | None = None
    if file is not None:
        declared = read_fields(settings.fields_file, time_zone(settings.time_zone))
        look = look_of(file, declared, expected, given)
        say_look(look, is_own_time=given.taken_at is None)
    with ExitStack() as stack:
        tells = given.applies and not as_json and of_api.every is None
        conninfo = stack.enter_context(migrated_database(settings, tells=tells))
        if file is None:
            if given.applies:
                stack.enter_context(_noted(settings, conninfo, source, events))
            declared = read_fields(settings.fields_file, time_zone(settings.time_zone))
            clock = partial(_clock, settings, conninfo, source, events)
            look, answer = stack.enter_context(api_look(of_api, given, events, expected, declared, clock))
        connection = stack.enter_context(reading_snapshot(conninfo))
        name = source_of(settings, source, heads(connection))
        scope = scope_of(connection, participants_projection(settings), name, events)
        # Whatever hinders the conclusion leaves an earlier file as it was.
        take = difference_lines(stack.enter_context(written(given.output))) if given.output is not None else _nothing
        if not given.applies:
            return ComparedList(scope, look, compare_listing(connection, scope, look, declared, take), None)
        operator = stack.enter_context(role_engine(conninfo, OPERATOR_ROLE))
        following = _following if of_api.every is None else _unseen
        applied = apply_listing(
            connection, operator, scope, look, declared, given.allowed_drift, take, following, answer
        )
        return ComparedList(scope, look, applied.tally, applied)


def check_api(
    settings: Settings, source: str | None, events: tuple[str, ...] | None, given: FileOptions, of_api: ApiOptions
) -> None:
    """Raise `NothingConcluded` if no look can succeed, by the configuration of the API; that is noted like a look."""
    try:
        of_api.check_config()
    except NothingConcluded as error:
        if given.applies and _is_unseen():
            with suppress(Failure, WrongUsage, *DRIVER_ERRORS), _operator_of(settings, source) as (operator, name):
                note_failed(operator, name, events, error)
        raise


def _is_unseen() -> bool:
    """Whether nobody at a terminal sees that a look fails."""
    return not sys.stderr.isatty()


@contextmanager
def _operator_of(settings: Settings, source: str | None) -> Iterator[tuple[Engine, str]]:
    with migrated_database(settings) as conninfo:
        with reading_snapshot(conninfo) as connection:
            name = source_of(settings, source, heads(connection))
        with role_engine(conninfo, OPERATOR_ROLE) as operator:
            yield operator, name


@contextmanager
def _noted(settings: Settings, conninfo: str, source: str | None, events: tuple[str, ...] | None) -> Iterator[None]:
    """Note whether the look in this block succeeded; that it failed, if nobody sees it."""
    with reading_snapshot(conninfo) as connection:
        name = source_of(settings, source, heads(connection))
    with role_engine(conninfo, OPERATOR_ROLE) as operator:
        try:
            yield
        except Exception as error:
            if _is_unseen():
                note_failed(operator, name, events, error)
            raise
        note_succeeded(operator, name, events)


def _clock(settings: Settings, conninfo: str, source: str | None, events: tuple[str, ...] | None) -> datetime:
    """The database's time, once it is known that there is a roster to compare a long list with."""
    with reading_snapshot(conninfo) as connection:
        scope_of(connection, participants_projection(settings), source_of(settings, source, heads(connection)), events)
        now: datetime = connection.execute(text("select clock_timestamp()")).scalar_one()
        return now


def print_compared(compared: ComparedList, *, as_json: bool) -> bool:
    if as_json:
        click.echo(compared.line(as_json=True))
        return compared.agrees
    print_tally(compared.tally, scope_in_words(compared.scope))
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


def scope_in_words(scope: ComparedScope) -> str:
    if scope.event_ids is None:
        return scope.source
    return (
        f"{scope.source}, event{'s' if len(scope.event_ids) > 1 else ''} {', '.join(map(printable, scope.event_ids))}"
    )
