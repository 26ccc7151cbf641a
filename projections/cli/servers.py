"""The commands that serve the roster until they are stopped: `up`, `api` and `serve`."""

import os

import click
from starlette.applications import Starlette

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_database
from ingest.cli.servers import (
    WEBHOOKS,
    address_options,
    log_addresses,
    process_options,
    run_servers,
    warn_if_root,
    with_address,
)
from ingest.cli.sources import awaited_sources, need_sources
from ingest.database import connect
from ingest.settings import Settings
from ingest.sqlstate import DRIVER_ERRORS
from ingest.web.app import build_app
from ingest.web.metrics import Total
from ingest.web.serve import base_url, bind, bind_metrics, run_server, serve
from ingest.webhook_part import ingest_part
from projections.catalogue import catalogue
from projections.up.figures import figures_of
from projections.up.machine import run_machine, with_demo_secret
from projections.web.api import api_part, api_settings

_ROSTER = "/v1/participants"


@click.command()
@click.option("--demo", "with_demo", is_flag=True, help="Let a fake Movemint deliver a few hundred registrations.")
@address_options
@settings_of
def up(settings: Settings, host: str | None, port: int | None, *, with_demo: bool) -> None:
    """Run everything on this machine: database, migrations, web server and worker."""
    if with_demo:
        settings = with_demo_secret(settings)
    need_sources(settings)
    run_machine(
        with_address(settings, host, port),
        catalogue(settings.fields_file, settings.time_zone),
        os.environ,
        with_demo=with_demo,
    )


@click.command()
@address_options
@settings_of
def api(settings: Settings, host: str | None, port: int | None) -> None:
    """Serve only the read-only API."""
    projections = catalogue(settings.fields_file, settings.time_zone)
    settings = with_address(settings, host, port)
    bound = bind(settings.host, settings.port)
    observed = bind_metrics(settings.metrics_host, settings.metrics_port)
    with migrated_database(_to_start_from(settings), serves=True) as conninfo:
        warn_if_root()
        primary = settings.database_url.get_secret_value() if settings.database_url else conninfo
        parts = [api_part(_read_conninfo(settings, conninfo), projections, api_settings(settings), primary)]
        app = build_app(parts, figures_of(settings, primary, projections))
        place = settings.public_url or base_url(bound)
        run_server(serve(app, bound, lambda: log_addresses(observed, roster=place + _ROSTER), observed))


@click.command("serve")
@address_options
@process_options
@settings_of
def serve_both(settings: Settings, host: str | None, port: int | None, processes: int, *, supervised: bool) -> None:
    """Serve the webhook and the read-only API together; run `rosterlog worker` beside it."""
    sources = {} if supervised else need_sources(settings)
    projections = catalogue(settings.fields_file, settings.time_zone)

    def make_app(conninfo: str, sharing: int, total: Total) -> Starlette:
        found = sources or awaited_sources(settings)
        api = api_part(_read_conninfo(settings, conninfo), projections, api_settings(settings, sharing), conninfo)
        parts = [ingest_part(settings, found, conninfo, sharing), api]
        return build_app(parts, figures_of(settings, conninfo, projections), total)

    paths = {"webhooks": WEBHOOKS, "roster": _ROSTER}
    run_servers(with_address(settings, host, port), processes, make_app, paths, supervised=supervised)


def _to_start_from(settings: Settings) -> Settings:
    """The settings for the database that the API starts from: a replica's while the primary is away, and the other way
    round.
    """
    read = settings.read_database_url
    if read is None or (settings.database_url is not None and not _answers(read.get_secret_value())):
        return settings
    return settings.model_copy(update={"database_url": read})


def _answers(conninfo: str) -> bool:
    try:
        connect(conninfo).close()
    except DRIVER_ERRORS:
        return False
    return True


def _read_conninfo(settings: Settings, conninfo: str) -> str:
    return conninfo if settings.read_database_url is None else settings.read_database_url.get_secret_value()
