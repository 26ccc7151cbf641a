"""The command that receives, `ingest`, and what commands that serve share."""

import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping
from functools import partial

import click
from sqlalchemy import Connection
from starlette.applications import Starlette

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_database
from ingest.cli.sources import awaited_sources, need_sources
from ingest.database import INGEST_ROLE
from ingest.disk import free_bytes
from ingest.environment import set_by_kubernetes
from ingest.failures import WrongUsage
from ingest.log.figures import bounded_log_readings
from ingest.logs import log_as_process
from ingest.metrics import DISK_FREE, Reading
from ingest.settings import Settings, setting_names
from ingest.web.app import build_app
from ingest.web.figures import DatabaseFigures, Read
from ingest.web.metrics import Total, of_one_process
from ingest.web.serve import base_url, bind, bind_metrics, run_server, serve
from ingest.web.supervised import Link, receive_assignment, serve_supervised
from ingest.web.supervisor import Plan, supervise
from ingest.webhook_part import ingest_part

logger = logging.getLogger(__name__)

WEBHOOKS = "/webhooks/SOURCE"
_SUPERVISED = "--supervised"
_MOST_PROCESSES = 64

MakeApp = Callable[[str, int, Total], Starlette]
"""Makes a server process's application: of the database, how many processes share its bounds, and what adds them up."""


def address_options(command: Callable[..., None]) -> Callable[..., None]:
    """`--host` and `--port`, which override the settings."""
    command = click.option("--port", type=click.IntRange(0, 65535), help="Default: ROSTERLOG_PORT, 8000.")(command)
    return click.option("--host", help="Default: ROSTERLOG_HOST, 127.0.0.1.")(command)


def process_options(command: Callable[..., None]) -> Callable[..., None]:
    """`--processes`, and what the supervisor adds for each of them."""
    command = click.option(_SUPERVISED, is_flag=True, hidden=True)(command)
    return click.option(
        "--processes",
        type=click.IntRange(1, _MOST_PROCESSES),
        default=1,
        show_default=True,
        help="Server processes that share the address: for a machine with cores to spare, when one of them is busy.",
    )(command)


def with_address(settings: Settings, host: str | None, port: int | None) -> Settings:
    options = {"host": host, "port": port}
    return settings.model_copy(update={name: value for name, value in options.items() if value is not None})


def disk_reads(settings: Settings) -> list[Read]:
    """What metrics read of the embedded database's disk."""
    if settings.database_url is not None:
        return []

    def disk_readings(_connection: Connection) -> list[Reading]:
        free = free_bytes(settings.data_dir)
        return [] if free is None else [Reading(DISK_FREE, (), free)]

    return [disk_readings]


@click.command()
@address_options
@process_options
@settings_of
def ingest(settings: Settings, host: str | None, port: int | None, processes: int, *, supervised: bool) -> None:
    """Serve the webhook only: verify deliveries and append them to the log."""
    sources = {} if supervised else need_sources(settings)

    def make_app(conninfo: str, sharing: int, total: Total) -> Starlette:
        found = sources or awaited_sources(settings)
        figures = DatabaseFigures(conninfo, [bounded_log_readings, *disk_reads(settings)], asks=INGEST_ROLE)
        return build_app([ingest_part(settings, found, conninfo, sharing)], figures, total)

    run_servers(with_address(settings, host, port), processes, make_app, {"webhooks": WEBHOOKS}, supervised=supervised)


def run_servers(
    settings: Settings, processes: int, make_app: MakeApp, paths: Mapping[str, str], *, supervised: bool
) -> None:
    """Serve what `make_app` makes, in so many processes. `paths`: what is served where, by its name in the log.

    `supervised`: this is one of these processes; its supervisor has looked at everything else.
    """
    if supervised:
        _run_supervised(make_app)
        return
    bound = bind(settings.host, settings.port)
    observed = bind_metrics(settings.metrics_host, settings.metrics_port)
    with migrated_database(settings, serves=True) as conninfo:
        warn_if_root()
        place = settings.public_url or base_url(bound)
        started = partial(log_addresses, observed, **{name: place + path for name, path in paths.items()})
        if processes == 1:
            run_server(serve(make_app(conninfo, 1, of_one_process), bound, started, observed))
        else:
            command = (sys.executable, *sys.orig_argv[1:], _SUPERVISED)
            plan = Plan(processes, command, _environ_below(), conninfo, settings.answer_seconds)
            run_server(supervise(plan, bound, observed, started))


def _run_supervised(make_app: MakeApp) -> None:
    try:
        assignment = receive_assignment()
    except ValueError:
        raise WrongUsage(f"{_SUPERVISED} is for the processes that --processes starts: leave it out") from None
    log_as_process(assignment.number)
    link = Link()
    run_server(serve_supervised(assignment, make_app(assignment.conninfo, assignment.processes, link.total), link))


def _environ_below() -> dict[str, str]:
    """The environment, without the variables of Kubernetes that this process has named in its log."""
    named = set_by_kubernetes(os.environ, setting_names())
    return {name: value for name, value in os.environ.items() if name not in named}


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
