"""`rosterlog source`, with what needs two databases: a source is copied to another one, and moved to it."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Engine

from ingest.cli import source_commands
from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_engine, place_of
from ingest.cli.progress import progress
from ingest.cli.sources import source_of
from ingest.cli.terminal import say
from ingest.database import OPERATOR_ROLE, open_database, sync_engine
from ingest.failures import WrongUsage
from ingest.log.beside import ERASURES, rows_beside
from ingest.log.read import head_of, heads
from ingest.log.whereabouts import is_one_database
from ingest.migrate import check_migrated
from ingest.session import LONG
from ingest.settings import Settings
from ingest.sqlstate import DRIVER_ERRORS, Advice, DatabaseUnusable, unusable
from projections.catalogue import catalogue
from projections.cli.erasures import sweep_up
from projections.folding.moving import Move, Moved, copy_source, move_source, take_back

_TO = "ROSTERLOG_TO_DATABASE_URL"
_AGAIN = "run the command again, which goes on where it was"
_ADVICE = Advice(f"is it that of DATABASE_URL or of {_TO}? Once both run, {_AGAIN}", _AGAIN)


@click.group(commands=source_commands.source.commands)
def source() -> None:
    """The sources: each has secrets of its own, an address for its webhook, and a log."""


@source.command("copy")
@click.argument("name")
@settings_of
def copy_command(settings: Settings, name: str) -> None:
    """Copy a source to the database of ROSTERLOG_TO_DATABASE_URL, while its deliveries go on.

    Its log is copied with positions, times and chain, and with it redeliveries, erasures and tokens. Both ends are
    proved. Called again, it copies what is new. Nothing changes here; there its deliveries are answered 503 until it
    has moved.
    """
    with _move(settings, name) as move:
        copied = copy_source(move)
    _print(move, copied)
    if copied.beside:
        say(f"changed meanwhile, and copied by the next run: {', '.join(copied.beside)}")
    say(f"{copied.since} events came since; rosterlog source move {move.source} moves it")


@source.command("move")
@click.argument("name")
@click.option("--back", "is_back", is_flag=True, help="Take it back, as long as nothing was delivered there.")
@settings_of
def move_command(settings: Settings, name: str, *, is_back: bool) -> None:
    """Move a source to the database of ROSTERLOG_TO_DATABASE_URL: copy it, and let its deliveries be taken there.

    Here they are answered 503 from then on, and Movemint delivers them again: change the proxy's rule. Stopped
    anywhere, it goes on when it is called again.
    """
    with _move(settings, name) as move:
        if is_back:
            take_back(move)
            click.echo(f"{move.source} is taken at {move.old_place} again")
            return
        moved = move_source(move)
    _print(move, moved)
    if moved.seconds is not None:
        say(f"for {moved.seconds:.1f} s no place took deliveries of {move.source}; here they are answered 503")
    say(
        f"now have the proxy send /webhooks/{move.source} to the server of {move.new_place}, which needs the source's "
        "secrets (docs/scale.md, 8. Cells)"
    )


@contextmanager
def _move(settings: Settings, name: str) -> Iterator[Move]:
    """The move of a source, with both databases open and the copying shown. Raises `WrongUsage`."""
    if settings.to_database_url is None:
        raise WrongUsage(f"set {_TO} to the other database, which rosterlog migrate has to have made ready")
    there = settings.model_copy(update={"database_url": settings.to_database_url, "direct_database_url": None})
    _check_migrated(there)
    with (
        migrated_engine(settings, OPERATOR_ROLE, LONG) as old,
        migrated_engine(there, OPERATOR_ROLE, LONG) as new,
        _about_both(),
    ):
        if is_one_database(old, new):
            raise WrongUsage(f"{_TO} leads to the database that the source is in: name another one")
        with old.connect() as here, new.connect() as at_other:
            found = source_of(settings, name, heads(here))
            length = max(head_of(here, found) - head_of(at_other, found), 0)
            places = place_of(settings, here), place_of(there, at_other)
        projections = catalogue(settings.fields_file, settings.time_zone)
        with progress(f"copying {found}", length) as advance, _swept(there, new, found):
            yield Move(found, old, new, *places, projections, settings.batch_size, advance)


@contextmanager
def _swept(there: Settings, new: Engine, name: str) -> Iterator[None]:
    """Vacuum there what an erasure has left behind that was copied after what it erases, also if the rest fails."""
    with new.connect() as connection:
        had_events = head_of(connection, name) > 0
    known = rows_beside(new, name, ERASURES)
    try:
        yield
    finally:
        if had_events and {*rows_beside(new, name, ERASURES)} != {*known}:
            with open_database(there, say) as conninfo:
                owner = sync_engine(conninfo, None, LONG)
                sweep_up(owner)
                owner.dispose()


def _check_migrated(there: Settings) -> None:
    with open_database(there, say) as conninfo:
        engine = sync_engine(conninfo)
        try:
            with engine.connect() as connection:
                check_migrated(connection)
        except DatabaseUnusable as error:
            raise WrongUsage(f"{_TO}: {error}, with that address as DATABASE_URL") from None
        finally:
            engine.dispose()


@contextmanager
def _about_both() -> Iterator[None]:
    """Of an error of the driver nobody can tell which database it is about; its own words name the server."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise unusable(error, _ADVICE) from error


def _print(move: Move, moved: Moved) -> None:
    for place in (move.old_place, move.new_place):
        click.echo(
            f"{move.source}  ok  {moved.events} events (1 to {moved.head})  chain {moved.chain.hex()}  in {place}"
        )
