"""PostgreSQL's own programs on the database in use."""

import os
import signal
import subprocess
import sys

import click
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from ingest import postgres
from ingest.cli.group import settings_of
from ingest.cli.terminal import say
from ingest.database import open_database
from ingest.failures import WrongUsage
from ingest.settings import Settings

_PASS_ON = {"ignore_unknown_options": True, "help_option_names": []}


@click.command(context_settings=_PASS_ON)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@settings_of
def psql(settings: Settings, args: tuple[str, ...]) -> None:
    """Open psql on the database in use; everything after `psql` is passed on."""
    _run(settings, "psql", args)


@click.command(context_settings=_PASS_ON)
@click.argument("program")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@settings_of
def pg(settings: Settings, program: str, args: tuple[str, ...]) -> None:
    """Run one of PostgreSQL's programs, such as pg_dump, on the database in use, with these arguments."""
    if not program.isidentifier():
        raise WrongUsage("name one of PostgreSQL's programs, such as pg_dump, pg_restore or pg_basebackup")
    _run(settings, program, args)


def _run(settings: Settings, name: str, args: tuple[str, ...]) -> None:
    with open_database(settings, say, is_direct=True) as conninfo:
        program = postgres.find_program(name)
        # Its files hold personal data, so only the user may read them.
        with subprocess.Popen([program, *args], env=_libpq_environ(conninfo), umask=0o077) as process:
            # The terminal's Ctrl-C is for the program; psql cancels its query with it and goes on.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                code = process.wait()
            except BaseException:  # a signal to end
                process.terminate()
                raise
    sys.exit(code if code >= 0 else 128 - code)


def _libpq_environ(conninfo: str) -> dict[str, str]:
    """The environment with the connection in it: every user of the machine could see a password on a command line."""
    parameters = conninfo_to_dict(conninfo)
    variables = {option.keyword.decode(): option.envvar for option in Conninfo.get_defaults() if option.envvar}
    connection = {variables[name].decode(): str(value) for name, value in parameters.items() if name in variables}
    return {**os.environ, **connection}
