"""The command group, what its commands share, and the one place where errors become lines and exit codes."""

import logging
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from ingest import migrate as migrations
from ingest import postgres, server
from ingest.database import DatabaseUnusable, open_database, sync_engine, unusable
from ingest.log.read import HoleInLog
from ingest.logs import configure_logging
from ingest.settings import DEFAULT_SOURCE, Settings, SettingsError, read_settings

settings_of = click.make_pass_decorator(Settings)


class WrongUsage(Exception):
    """What was asked for cannot be done like this; the message says how it can."""


class Problem(Exception):
    """Something is not as it should be, and the command could not do its work; the message says what to do."""


_PROBLEMS = (
    Problem,
    DatabaseUnusable,
    HoleInLog,
    postgres.AlreadyUp,
    postgres.EmbeddedPostgresError,
    server.PortTaken,
)


def say(line: str) -> None:
    """Tell the person at the terminal something that is not the command's result."""
    click.echo(f"rosterlog: {line}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="rosterlog")
@click.pass_context
def group(context: click.Context) -> None:
    """Every Movemint registration kept exactly as it arrived, answering questions as a roster."""
    context.obj = read_settings(context.obj)


def run_group() -> None:
    """Run the command line. Exit code 0: done; 1: a problem was found; 2: wrong usage or settings."""
    configure_logging(logging.INFO)
    # So that whatever a command started is stopped when it is asked to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        sys.exit(group.main(prog_name="rosterlog", standalone_mode=False, obj=os.environ) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        say("interrupted")
        sys.exit(130)
    except (SettingsError, WrongUsage, migrations.BeforeFirstRelease) as error:
        say(str(error))
        sys.exit(2)
    except _PROBLEMS as error:
        say(str(error))
        sys.exit(1)
    except (DBAPIError, psycopg.Error) as error:
        say(str(unusable(error)))
        sys.exit(1)


@contextmanager
def migrated_database(settings: Settings) -> Iterator[str]:
    """The connection string of the database in use, once it is known to be reachable, new enough and migrated."""
    with open_database(settings, say) as conninfo:
        engine = sync_engine(conninfo)
        with engine.connect() as connection:
            migrations.check_migrated(connection)
        engine.dispose()
        yield conninfo


@contextmanager
def migrated_engine(settings: Settings, role: str | None = None) -> Iterator[Engine]:
    """An engine on the database in use, in this role, once the database is known to be migrated."""
    with migrated_database(settings) as conninfo:
        engine = sync_engine(conninfo, role)
        try:
            yield engine
        finally:
            engine.dispose()


def ask(question: str, unanswered: str) -> bool:
    """Ask on standard error. Raises `WrongUsage` with this message where nobody can answer."""
    try:
        return click.confirm(question, err=True)
    except (click.Abort, RuntimeError) as error:  # Ctrl-C, or no standard input to read from
        if isinstance(error.__context__, KeyboardInterrupt):
            raise
        raise WrongUsage(unanswered) from None


def source_of(settings: Settings, given: str | None, held: Iterable[str] | None = None) -> str:
    """The source a command is about: the one named, else the default, else the only one.

    `held`: the sources that have events; null where one without any will do.
    """
    known = sorted({*settings.sources, *(held or ())}) or [DEFAULT_SOURCE]
    if given is None:
        return DEFAULT_SOURCE if DEFAULT_SOURCE in known or len(known) > 1 else known[0]
    if unicode(given, "--source") not in known and (settings.sources or held is not None):
        raise WrongUsage(f"there is no source {printable(given)}; there is {', '.join(known)}")
    return given


def printable(value: str | None) -> str:
    """A stranger's text for a terminal: nothing in it can move the cursor."""
    if value is None:
        return "-"
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in value)


def unicode(value: str, name: str) -> str:
    """The value, if it is text that a database can be asked for: an argument can be any bytes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise WrongUsage(f"{name} is not UTF-8") from None
    return value


def utc(moment: datetime) -> str:
    """A time as commands print it: ISO 8601 in UTC, whatever the zone of this machine or of the session."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def need_sources(settings: Settings) -> None:
    """Raise `SettingsError` unless some source has a secret: nothing could be verified."""
    if not settings.sources:
        raise SettingsError("MOVEMINT_WEBHOOK_SECRET is not set: set it to the secret of your Movemint subscription")
