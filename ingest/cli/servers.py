"""The commands that prepare the database and receive: `migrate` and `ingest`."""

import logging
import os
import socket
from collections.abc import Callable

import click
from sqlalchemy import Connection

from ingest import migrate as migrations
from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_database, tell_database
from ingest.cli.sources import need_sources
from ingest.cli.terminal import say
from ingest.database import ROLES, open_database, sync_engine
from ingest.disk import free_bytes
from ingest.log.figures import log_readings
from ingest.metrics import DISK_FREE, Reading
from ingest.session import LONG
from ingest.settings import Settings
from ingest.web.app import build_app
from ingest.web.figures import DatabaseFigures, Read
from ingest.web.serve import base_url, bind, bind_metrics, run_server, serve
from ingest.webhook import ingest_part

logger = logging.getLogger(__name__)


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
        free = free_bytes(settings.data_dir)
        return [] if free is None else [Reading(DISK_FREE, (), free)]

    return [log_readings, disk_readings]


@click.command()
@click.option("--roles", "only_roles", is_flag=True, help="Only make the roles, as before restoring a dump.")
@settings_of
def migrate(settings: Settings, *, only_roles: bool) -> None:
    """Bring the database's schema up to date."""
    with open_database(settings, say, make=True) as conninfo:
        engine = sync_engine(conninfo, deadlines=LONG)
        with engine.connect() as connection:
            tell_database(settings, connection)
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
        warn_if_root()
        app = build_app([ingest_part(settings, conninfo)], DatabaseFigures(conninfo, database_reads(settings)))
        place = settings.public_url or base_url(bound)
        run_server(serve(app, bound, lambda: log_addresses(observed, webhooks=f"{place}/webhooks/SOURCE"), observed))


def warn_if_root() -> None:
    """Log that nothing needs root, if a server runs as root."""
    if os.geteuid() == 0:
        logger.warning("running as root, which nothing needs: an account of its own keeps an error from doing harm")


def log_addresses(observed: socket.socket | None, **addresses: str) -> None:
    """Log what is served from now on, and where. `observed`: the listening address of metrics, if there is one."""
    metrics = {} if observed is None else {"metrics": metrics_url(observed)}
    logger.info("serving", extra={"fields": {**addresses, **metrics}})


def metrics_url(observed: socket.socket) -> str:
    """The address at which this machine finds the metrics."""
    return f"{base_url(observed)}/metrics"
