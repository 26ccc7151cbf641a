"""PostgreSQL's own programs on the database in use."""

import os
import signal
import subprocess
import sys

import click
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from ingest import postgres
from ingest.cli.group import group, say, settings_of
from ingest.database import open_database
from ingest.settings import Settings


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
