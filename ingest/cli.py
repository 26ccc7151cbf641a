"""The command group, the commands that receive and keep, and the one place where errors become lines and exit codes."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo
from sqlalchemy.exc import DBAPIError

from ingest import migrate as migrations
from ingest import postgres, server
from ingest.app import build_app, ingest_part
from ingest.database import DatabaseUnusable, open_database, sync_engine, unusable
from ingest.log.read import HoleInLog
from ingest.logs import configure_logging
from ingest.settings import Settings, SettingsError, read_settings
from ingest.simulator.cli import simulate

settings_of = click.make_pass_decorator(Settings)


class WrongUsage(Exception):
    """What was asked for cannot be done like this; the message says how it can."""


_PROBLEMS = (
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
        sys.exit(130)
    except (SettingsError, WrongUsage) as error:
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


def address_options(command: Callable[..., None]) -> Callable[..., None]:
    """`--host` and `--port`, which override the settings."""
    command = click.option("--port", type=click.IntRange(0, 65535), help="Default: ROSTERLOG_PORT, 8000.")(command)
    return click.option("--host", help="Default: ROSTERLOG_HOST, 127.0.0.1.")(command)


def with_address(settings: Settings, host: str | None, port: int | None) -> Settings:
    given = {"host": host, "port": port}
    return settings.model_copy(update={name: value for name, value in given.items() if value is not None})


def need_sources(settings: Settings) -> None:
    """Raise `SettingsError` unless some source has a secret: nothing could be verified."""
    if not settings.sources:
        raise SettingsError("MOVEMINT_WEBHOOK_SECRET is not set: set it to the secret of your Movemint subscription")


@group.command()
@settings_of
def migrate(settings: Settings) -> None:
    """Bring the database's schema up to date."""
    with open_database(settings, say) as conninfo:
        engine = sync_engine(conninfo)
        before, after = migrations.migrate(engine)
        engine.dispose()
    click.echo(f"already at {after}" if before == after else f"migrated from {before or 'nothing'} to {after}")


@group.command()
@address_options
@settings_of
def ingest(settings: Settings, host: str | None, port: int | None) -> None:
    """Serve the webhook only: verify deliveries and append them to the log."""
    need_sources(settings)
    settings = with_address(settings, host, port)
    bound = server.bind(settings.host, settings.port)
    with migrated_database(settings) as conninfo:
        app = build_app([ingest_part(settings, conninfo)])
        server.run(server.serve(app, bound, lambda: say(f"webhooks at {server.base_url(bound)}/webhooks/...")))


@group.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@settings_of
def psql(settings: Settings, args: tuple[str, ...]) -> None:
    """Open psql on the database in use; everything after `psql` is passed on."""
    # The terminal's Ctrl-C is for psql, which cancels its query with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open_database(settings, say) as conninfo:
        program = postgres.find_program("psql")
        sys.exit(subprocess.run([program, *args], env=_libpq_environ(conninfo), check=False).returncode)


def _libpq_environ(conninfo: str) -> dict[str, str]:
    """The environment with the connection in it: a password on a command line could be seen by everybody."""
    given = conninfo_to_dict(conninfo)
    known = {option.keyword.decode(): option.envvar for option in Conninfo.get_defaults() if option.envvar}
    return {**os.environ, **{known[name].decode(): str(value) for name, value in given.items() if name in known}}


group.add_command(simulate)
