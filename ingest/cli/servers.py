"""The commands that prepare the database and receive: `migrate` and `ingest`."""

import shutil
from collections.abc import Callable

import click
from sqlalchemy import Connection

from ingest import migrate as migrations
from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_database
from ingest.cli.sources import need_sources
from ingest.cli.terminal import say, say_if_root
from ingest.database import ROLES, open_database, sync_engine
from ingest.log.figures import log_readings
from ingest.metrics import DISK_FREE, Reading
from ingest.session import LONG
from ingest.settings import Settings
from ingest.web.app import build_app
from ingest.web.figures import DatabaseFigures, Read
from ingest.web.serve import base_url, bind, bind_metrics, run_server, serve
from ingest.webhook import ingest_part


def address_options(command: Callable[..., None]) -> Callable[..., None]:
    """`--host` and `--port`, which override the settings."""
    command = click.option("--port", type=click.IntRange(0, 65535), help="Default: ROSTERLOG_PORT, 8000.")(command)
    return click.option("--host", help="Default: ROSTERLOG_HOST, 127.0.0.1.")(command)


def with_address(settings: Settings, host: str | None, port: int | None) -> Settings:
    options = {"host": host, "port": port}
    return settings.model_copy(update={name: value for name, value in options.items() if value is not None})


def database_reads(settings: Settings) -> list[Read]:
    """What metrics read of the log, and of the embedded database's disk."""
    if settings.database_url is not None:
        return [log_readings]

    def disk_readings(_connection: Connection) -> list[Reading]:
        return [Reading(DISK_FREE, (), shutil.disk_usage(settings.data_dir).free)]

    return [log_readings, disk_readings]


@click.command()
@click.option("--roles", "only_roles", is_flag=True, help="Only make the roles, as before restoring a dump.")
@settings_of
def migrate(settings: Settings, *, only_roles: bool) -> None:
    """Bring the database's schema up to date."""
    with open_database(settings, say, make=True) as conninfo:
        engine = sync_engine(conninfo, deadlines=LONG)
        if only_roles:
            with engine.begin() as connection:
                migrations.make_roles(connection)
            result = f"the roles are there: {', '.join(ROLES)}"
        else:
            before, after = migrations.migrate(engine)
            result = f"already at {after}" if before == after else f"migrated from {before or 'nothing'} to {after}"
        engine.dispose()
    click.echo(result)


@click.command()
@address_options
@settings_of
def ingest(settings: Settings, host: str | None, port: int | None) -> None:
    """Serve the webhook only: verify deliveries and append them to the log."""
    need_sources(settings)
    settings = with_address(settings, host, port)
    bound = bind(settings.host, settings.port)
    observed = bind_metrics(settings.metrics_host, settings.metrics_port)
    with migrated_database(settings, serves=True) as conninfo:
        say_if_root()
        app = build_app([ingest_part(settings, conninfo)], DatabaseFigures(conninfo, database_reads(settings)))
        place = settings.public_url or base_url(bound)
        run_server(serve(app, bound, lambda: say(f"webhooks at {place}/webhooks/..."), observed))
