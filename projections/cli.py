"""The commands that make the log answer questions, added to ingest's command group. `main` is the program."""

import os
import signal
import sys
import threading
from datetime import UTC, datetime

import click
from pydantic import SecretStr
from pydantic_core import to_json
from sqlalchemy import Engine

from ingest import server
from ingest.app import build_app, ingest_part
from ingest.cli import (
    WrongUsage,
    address_options,
    group,
    migrated_database,
    need_sources,
    run_group,
    say,
    settings_of,
    with_address,
)
from ingest.database import WORKER_ROLE, sync_engine
from ingest.settings import DEFAULT_SOURCE, Settings
from projections import up as everything
from projections import worker as folding
from projections.status import SourceStatus, read_status
from projections.web import tokens
from projections.web.api import api_part
from projections.worker_process import READY


def main() -> None:
    """The `rosterlog` program."""
    run_group()


@group.command()
@click.option("--demo", "with_demo", is_flag=True, help="Let a fake Movemint deliver some hundred registrations.")
@address_options
@settings_of
def up(settings: Settings, host: str | None, port: int | None, *, with_demo: bool) -> None:
    """Run everything on this machine: database, migrations, web server and worker."""
    if with_demo:
        settings = everything.with_demo_secret(settings)
    need_sources(settings)
    everything.run(with_address(settings, host, port), os.environ, with_demo=with_demo)


@group.command()
@address_options
@settings_of
def api(settings: Settings, host: str | None, port: int | None) -> None:
    """Serve the read-only API only."""
    settings = with_address(settings, host, port)
    bound = server.bind(settings.host, settings.port)
    # A replica serves everything, also while the primary is away.
    with migrated_database(settings.model_copy(update={"database_url": _replica(settings)})) as conninfo:
        app = build_app([api_part(conninfo)])
        server.run(server.serve(app, bound, lambda: say(f"roster at {server.base_url(bound)}/v1/participants")))


@group.command()
@address_options
@settings_of
def serve(settings: Settings, host: str | None, port: int | None) -> None:
    """Serve the webhook and the read-only API in one process; run `rosterlog worker` beside it."""
    need_sources(settings)
    settings = with_address(settings, host, port)
    bound = server.bind(settings.host, settings.port)
    with migrated_database(settings) as conninfo:
        read = settings.read_database_url.get_secret_value() if settings.read_database_url else conninfo
        app = build_app([ingest_part(settings, conninfo), api_part(read)])
        server.run(server.serve(app, bound, lambda: say(f"webhooks and roster at {server.base_url(bound)}")))


@group.command()
@click.option("--stop-at-eof", is_flag=True, help="Stop when standard input ends: whoever started this is gone.")
@settings_of
def worker(settings: Settings, *, stop_at_eof: bool) -> None:
    """Fold what arrives in the log into the roster, until asked to stop. Any number may run."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if stop_at_eof:
        threading.Thread(target=_stop_at_eof, args=[stop], daemon=True).start()
    with migrated_database(settings) as conninfo:
        engine = sync_engine(conninfo, WORKER_ROLE)
        folding.run(engine, settings.batch_size, settings.poll_seconds, stop, lambda: click.echo(READY))
        engine.dispose()


@group.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@settings_of
def status(settings: Settings, *, as_json: bool) -> None:
    """Show how far each source's log and roster have come, and what is parked."""
    with migrated_database(settings) as conninfo:
        engine = sync_engine(conninfo)
        with engine.connect() as connection:
            found = read_status(connection, settings.sources or [DEFAULT_SOURCE])
        engine.dispose()
    if as_json:
        click.echo(to_json({"sources": [one.as_json() for one in found]}).decode())
    else:
        _print_status(found)


@group.group()
def token() -> None:
    """The tokens that open the read API."""


@token.command("create")
@click.argument("name")
@click.option("--source", help="Whose roster it shows. Default: movemint, or the only source there is.")
@click.option("--event", "event_ids", multiple=True, metavar="ID", help="Show only this event; may be repeated.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]), help="When it ends, in UTC.")
@settings_of
def create_token(
    settings: Settings, name: str, source: str | None, event_ids: tuple[str, ...], expires: datetime | None
) -> None:
    """Make a token. It is printed once, alone on the last line, and stored only as a digest."""
    ends = expires.replace(tzinfo=UTC) if expires else None
    if not name.strip() or "\x00" in name:
        raise WrongUsage("a token needs a name")
    with migrated_database(settings) as conninfo:
        engine = sync_engine(conninfo)
        made = _create(engine, name, _source(settings, source), event_ids, ends)
        engine.dispose()
    click.echo(made)


@token.command("list")
@settings_of
def list_tokens(settings: Settings) -> None:
    """Show the live tokens: name, source, events, and when each was made and ends."""
    with migrated_database(settings) as conninfo:
        engine = sync_engine(conninfo)
        with engine.connect() as connection:
            for name, source, events, made, ends in tokens.listed(connection):
                seen = "all events" if events is None else "events " + ", ".join(events)
                click.echo(
                    f"{name}  {source}  {seen}  made {made:%Y-%m-%d}  " + (f"ends {ends:%Y-%m-%d}" if ends else "")
                )
        engine.dispose()


@token.command("revoke")
@click.argument("name")
@settings_of
def revoke_token(settings: Settings, name: str) -> None:
    """End a token at once."""
    with migrated_database(settings) as conninfo:
        engine = sync_engine(conninfo)
        with engine.begin() as connection:
            revoked = tokens.revoke(connection, name)
        engine.dispose()
    if not revoked:
        raise WrongUsage(f"there is no live token {name}; rosterlog token list shows them")
    click.echo(f"revoked {name}")


def _stop_at_eof(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def _create(engine: Engine, name: str, source: str, event_ids: tuple[str, ...], ends: datetime | None) -> str:
    try:
        with engine.begin() as connection:
            return tokens.create(connection, name, source, event_ids, ends)
    except tokens.NameTaken:
        raise WrongUsage(f"there is a token {name} already: revoke it first or choose another name") from None


def _source(settings: Settings, given: str | None) -> str:
    """The source a command is about: the one named, else the default, else the only one."""
    known = settings.sources or {DEFAULT_SOURCE: ()}
    if given is None:
        return DEFAULT_SOURCE if DEFAULT_SOURCE in known or len(known) > 1 else next(iter(known))
    if settings.sources and given not in known:
        raise WrongUsage(f"there is no source {given}; there are {', '.join(known)}")
    return given


def _replica(settings: Settings) -> SecretStr | None:
    return settings.read_database_url or settings.database_url


def _print_status(found: list[SourceStatus]) -> None:
    click.echo(f"{'source':<24}{'head':>12}{'roster':>12}{'lag':>12}{'parked':>12}")
    for one in found:
        folded = one.checkpoints["participants"]
        click.echo(f"{one.source:<24}{one.head:>12}{folded:>12}{one.lag:>12}{one.quarantined:>12}")
