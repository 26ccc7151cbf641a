"""The commands that run until they are stopped: `up`, `api`, `serve` and `worker`."""

import math
import os
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, nullcontext

import click
from sqlalchemy import Engine
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
from ingest.database import WORKER_ROLE, connect, sync_engine
from ingest.hangup import on_hangup
from ingest.metrics import EVENTS_FOLDED, Reading, readings_of
from ingest.session import FOLDING
from ingest.settings import Settings
from ingest.source_labels import SourceLabels
from ingest.sqlstate import DRIVER_ERRORS
from ingest.stopping import stopped_by_signals
from ingest.web.app import Part, build_app
from ingest.web.metrics import Total
from ingest.web.serve import base_url, bind, bind_metrics, observed_beside, run_server, serve, spare_collections
from ingest.webhook_part import ingest_part
from projections.catalogue import catalogue
from projections.folding.noted_heads import NotedHeads
from projections.folding.pulse import Pulse
from projections.folding.retry import SlowRetries
from projections.folding.worker import Beat, Worker
from projections.reports.publication import publish
from projections.up.figures import figures_of
from projections.up.machine import run_machine, with_demo_secret
from projections.up.worker_process import BEAT_SECONDS, beats
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


@click.command("worker")
@click.option("--stop-at-eof", is_flag=True, help="Stop when standard input ends: the parent process is gone.")
@settings_of
def work(settings: Settings, *, stop_at_eof: bool) -> None:
    """Fold new events of the log into the projections, until stopped. Any number of workers may run."""
    projections = catalogue(settings.fields_file, settings.time_zone, fold_once=True)
    stop = threading.Event()
    stopped_by_signals(stop)
    if stop_at_eof:
        threading.Thread(target=_stop_at_eof, args=[stop], daemon=True).start()
    observed = bind_metrics(settings.metrics_host, settings.metrics_port)
    with on_hangup(lambda: None), migrated_database(settings, serves=True) as conninfo, ExitStack() as stack:
        engine = sync_engine(conninfo, WORKER_ROLE, FOLDING)
        stack.callback(engine.dispose)
        other_work: list[Callable[[Engine], bool]] = [
            NotedHeads(),
            publish,
            SlowRetries(projections, settings.batch_size),
        ]
        worker = Worker(engine, projections, settings.batch_size, other_work)
        if stop_at_eof:
            beat = beats(BEAT_SECONDS, worker.folded)
        else:
            warn_if_root()
            beat = beats(math.inf)
        if observed is not None:
            pulse = Pulse()
            stack.enter_context(observed_beside(_worker_app(settings, conninfo, worker, pulse), observed))
            beat = _each(pulse.beat, beat)
            log_addresses(observed)
        spare_collections()
        worker.run(settings.poll_seconds, stop, beat)


def _worker_app(settings: Settings, conninfo: str, worker: Worker, pulse: Pulse) -> Starlette:
    """What a worker shows of itself on the port of metrics."""

    labels = SourceLabels()

    def readings() -> list[Reading]:
        return readings_of(EVENTS_FOLDED, labels.sums([*worker.folded.items()]))  # the worker's thread goes on counting

    part = Part([], nullcontext, {"worker": pulse.hindrance}, readings=readings)
    return build_app(
        [part], figures_of(settings, conninfo, catalogue(settings.fields_file, settings.time_zone), WORKER_ROLE)
    )


def _each(*beats: Beat) -> Beat:
    def beat(is_read: bool) -> None:  # noqa: FBT001 - the worker's own signature
        for each in beats:
            each(is_read)

    return beat


def _stop_at_eof(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


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
