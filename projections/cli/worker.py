"""The command `worker`, which loads nothing of what only servers of the roster need."""

import math
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, nullcontext

import click
from sqlalchemy import Engine
from starlette.applications import Starlette

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_database
from ingest.cli.servers import log_addresses, warn_if_root
from ingest.database import WORKER_ROLE, sync_engine
from ingest.hangup import on_hangup
from ingest.metrics import EVENTS_FOLDED, Reading, readings_of
from ingest.session import FOLDING
from ingest.settings import Settings
from ingest.source_labels import SourceLabels
from ingest.stopping import stopped_by_signals
from ingest.web.app import Part, build_app
from ingest.web.serve import bind_metrics, observed_beside, spare_collections
from projections.catalogue import catalogue
from projections.folding.noted_heads import NotedHeads
from projections.folding.pulse import Pulse
from projections.folding.retry import SlowRetries
from projections.folding.worker import Beat, Worker
from projections.reports.publication import publish
from projections.up.figures import figures_of
from projections.up.worker_process import BEAT_SECONDS, beats


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
