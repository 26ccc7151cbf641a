"""Runs `rosterlog up`: database, migrations, web server and worker on one machine, and a demo if it is asked for."""

import asyncio
import logging
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import click
from pydantic import SecretStr
from sqlalchemy import Engine

from ingest import postgres
from ingest.cli.invocation import runnable, with_folder
from ingest.cli.opening import log_database
from ingest.cli.servers import metrics_url, warn_if_root
from ingest.database import API_ROLE, advised, sync_engine
from ingest.driver import answered_within
from ingest.environment import set_by_kubernetes
from ingest.failures import WrongUsage
from ingest.migrate import migrate
from ingest.session import LONG
from ingest.settings import DEFAULT_SOURCE, Settings, setting_names
from ingest.sqlstate import DRIVER_ERRORS
from ingest.web.app import Part, build_app
from ingest.web.readiness import CHECK_SECONDS, Check
from ingest.web.serve import base_url, bind, bind_metrics, run_server, serve
from ingest.webhook_part import ingest_part
from projections.folding.projection import Projection
from projections.folding.status import longest_behind
from projections.up import demo
from projections.up.address import left_in
from projections.up.figures import figures_of
from projections.up.worker_process import WorkerProcess
from projections.web.access import sessions, tokens
from projections.web.api import api_part, api_settings

logger = logging.getLogger(__name__)

_MOST_SHOWN = 20  # addresses of webhooks, in the lines of the start
_BEHIND_SECONDS = 15.0  # that an event may wait to be folded before the machine is not ready


@dataclass(frozen=True, slots=True)
class _Machine:
    """What a running `up` needs: settings, database, listening socket, and the demo's token if there is a demo."""

    settings: Settings
    projections: Sequence[Projection]
    environ: Mapping[str, str]
    conninfo: str
    engine: Engine
    listener: socket.socket
    observed: socket.socket | None
    demo_token: str | None

    @property
    def url(self) -> str:
        """Where this machine is found from itself."""
        return base_url(self.listener)

    @property
    def public_url(self) -> str:
        """Where others find it, if that was said."""
        return self.settings.public_url or self.url


def with_demo_secret(settings: Settings) -> Settings:
    """The settings, with a random secret for the default source if it has none."""
    if DEFAULT_SOURCE in settings.sources:
        return settings
    return settings.model_copy(update={"movemint_webhook_secret": SecretStr(secrets.token_hex(24))})


def run_machine(
    settings: Settings, projections: Sequence[Projection], environ: Mapping[str, str], *, with_demo: bool
) -> None:
    """Start everything, run until a signal, and stop everything that was started."""
    observed = bind_metrics(settings.metrics_host, settings.metrics_port)
    with _only_up(settings), bind(settings.host, settings.port) as listener, _database(settings) as conninfo:
        _migrate(settings, conninfo)
        with _owner(conninfo) as owner:
            with owner.connect() as connection:
                log_database(settings, connection)
            warn_if_root()
            token = _prepare_demo(owner, with_demo=with_demo)
        engine = sync_engine(conninfo, API_ROLE)  # while this serves, none of its sessions may do more
        machine = _Machine(settings, projections, environ, conninfo, engine, listener, observed, token)
        with nullcontext() if settings.database_url else left_in(settings.data_dir, machine.url):
            run_server(_serve(machine))
        engine.dispose()


@contextmanager
def _owner(conninfo: str) -> Iterator[Engine]:
    """An engine with all that the login may do, for the block."""
    engine = sync_engine(conninfo, deadlines=LONG)
    try:
        yield engine
    finally:
        engine.dispose()


def _migrate(settings: Settings, conninfo: str) -> None:
    direct = settings.direct_database_url
    engine = sync_engine(conninfo if direct is None else direct.get_secret_value(), deadlines=LONG, is_direct=True)
    migrate(engine)
    engine.dispose()


def _only_up(settings: Settings) -> AbstractContextManager[None]:
    return nullcontext() if settings.database_url else postgres.only_up(settings.data_dir)


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    if settings.database_url is not None:
        with advised(settings):
            yield settings.database_url.get_secret_value()
        return
    warn = logger.warning
    with (
        postgres.server(settings.data_dir, warn) as embedded,
        postgres.kept_running(settings.data_dir, warn),
        advised(settings),
    ):
        click.echo(f"database  {embedded.address}  (password in {embedded.password_file})")
        yield embedded.conninfo


def _prepare_demo(engine: Engine, *, with_demo: bool) -> str | None:
    if not with_demo:
        return None
    with engine.begin() as connection:
        if demo.holds_registrations(connection):
            raise WrongUsage(
                "this log holds registrations, and what is added to it stays: run the demo on a folder of its own, "
                "such as ROSTERLOG_DATA_DIR=demo rosterlog up --demo"
            )
        return demo.fresh_token(connection)


async def _serve(machine: _Machine) -> None:
    settings = machine.settings
    # The worker has no port of metrics, since this process speaks for it, and names no variables of Kubernetes again.
    left_out = {"ROSTERLOG_METRICS_PORT", *set_by_kubernetes(machine.environ, setting_names())}
    environ = {name: value for name, value in machine.environ.items() if name not in left_out}
    worker = WorkerProcess(environ, logger.warning)
    read_conninfo = settings.read_database_url.get_secret_value() if settings.read_database_url else machine.conninfo
    ingest = ingest_part(settings, settings.sources, machine.conninfo)
    api = api_part(read_conninfo, machine.projections, api_settings(settings), machine.conninfo)
    checks: dict[str, Check] = {"worker": worker.hindrance, "fold": partial(_hindrance_of_fold, machine)}
    folding = Part([], nullcontext, checks, readings=worker.readings)
    app = build_app([ingest, api, folding], figures_of(settings, machine.conninfo, machine.projections))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(worker.keep_running())]

        def announce() -> None:
            tasks.append(group.create_task(_announce(machine)))

        await serve(app, machine.listener, announce, machine.observed)
        for task in tasks:
            task.cancel()


async def _hindrance_of_fold(machine: _Machine) -> str | None:
    """Which source's roster is behind its log; None if no event has waited for long."""
    with answered_within(CHECK_SECONDS):
        return await asyncio.to_thread(_behind, machine)


def _behind(machine: _Machine) -> str | None:
    try:
        with machine.engine.connect() as connection:
            longest = longest_behind(connection, machine.projections)
    except DRIVER_ERRORS:
        return None  # which the part that reads the roster reports
    if longest is None or longest.seconds <= _BEHIND_SECONDS:
        return None
    return f"{longest.projection} of {longest.source} is {longest.seconds:.0f} s behind the log"


async def _announce(machine: _Machine) -> None:
    """Print the addresses and the token; a demo delivers its registrations before its token is printed."""
    sources = [*machine.settings.sources]
    for source in sources[:_MOST_SHOWN]:
        click.echo(f"webhook   {machine.public_url}/webhooks/{source}")
    if len(sources) > _MOST_SHOWN:
        click.echo(f"          and {len(sources) - _MOST_SHOWN:,} more: rosterlog source list")
    click.echo(f"roster    {machine.public_url}/v1/participants")
    click.echo(f"pages     {machine.public_url}/")
    if machine.observed is not None:
        click.echo(f"metrics   {metrics_url(machine.observed)}")
    if machine.demo_token is None:
        if not await asyncio.to_thread(_has_token, machine):
            folder = "" if machine.settings.database_url else with_folder(machine.settings.data_dir)
            click.echo(f"token     {runnable(f'TOKEN=$({folder}rosterlog token create my-program)')}{_same(machine)}")
    else:
        secret = machine.settings.sources[DEFAULT_SOURCE][0]
        await demo.run_demo(machine.engine, machine.projections, machine.url, secret, click.echo)
        click.echo(f"token     {machine.demo_token}")
        link = await asyncio.to_thread(_link, machine, machine.demo_token)
        click.echo(f"sign in   {machine.public_url}/sign-in/{link}  (once)")
    token = machine.demo_token or "$TOKEN"
    click.echo(f"try       curl -H \"Authorization: Bearer {token}\" '{machine.url}/v1/participants?limit=3'")
    click.echo("Ctrl-C stops everything.")


def _link(machine: _Machine, token: str) -> str:
    with _owner(machine.conninfo) as owner, owner.begin() as connection:
        return sessions.make_link(connection, token)


def _has_token(machine: _Machine) -> bool:
    """Whether somebody has a token of the roster already."""
    with machine.engine.connect() as connection:
        return any(token.source != tokens.NO_SOURCE for token in tokens.live_tokens(connection))


def _same(machine: _Machine) -> str:
    """What a second terminal needs that cannot be printed: the database's address has its password."""
    return "  # with the same DATABASE_URL" if machine.settings.database_url else ""
