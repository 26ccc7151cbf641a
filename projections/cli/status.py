"""`rosterlog status`: how far logs and projections are, and what needs a person."""

import sys
from datetime import datetime

import click
from pydantic_core import to_json

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_engine
from ingest.cli.terminal import utc
from ingest.settings import DEFAULT_SOURCE, Settings
from projections.catalogue import catalogue
from projections.folding.health import Health, needs, read_health


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@settings_of
def status(settings: Settings, *, as_json: bool) -> None:
    """Show how far each source's log and roster have come, what was refused, and what needs a person (exit code 1)."""
    projections = catalogue(settings.fields_file)
    with migrated_engine(settings) as engine, engine.connect() as connection:
        health = read_health(connection, projections, settings.sources or [DEFAULT_SOURCE])
    needed = needs(health)
    if as_json:
        click.echo(to_json(_as_json(health, needed)).decode())
    else:
        _print(health, needed)
    sys.exit(1 if needed else 0)


def _as_json(health: Health, needed: list[str]) -> dict[str, object]:
    worker = health.worker
    return {
        "sources": [source.as_json() for source in health.sources],
        "projections": [live.as_json() for live in health.projections],
        "worker": None if worker is None else {"host": worker.host, "pid": worker.pid, "seen_at": worker.seen_at},
        "seconds_behind": round(health.behind[0], 1),
        "refused_of_unknown_sources_last_hour": health.unknown.last_hour,
        "needs": needed,
    }


def _print(health: Health, needed: list[str]) -> None:
    names = [live.projection for live in health.projections]
    titles = "".join(f"{name + ' at':>20}" for name in names)
    click.echo(f"{'source':<24}{'head':>12}{titles}{'lag':>12}{'parked':>12}{'refused in 1 h':>16}  last delivery")
    for source in health.sources:
        of_source = source.status
        checkpoints = "".join(f"{of_source.checkpoints[name]:>20}" for name in names)
        click.echo(
            f"{of_source.source:<24}{of_source.head:>12}{checkpoints}{of_source.lag:>12}{of_source.quarantined:>12}"
            f"{source.refused.last_hour:>16}  {_time(source.last_received_at)}"
        )
    for live in health.projections:
        if live.build is not None and not live.needs_rebuild:
            click.echo(f"{live.projection}: build {live.build} is live")
    if health.worker is not None:
        click.echo(f"worker: seen {utc(health.worker.seen_at)} on {health.worker.host}")
    for sentence in needed:
        click.echo(f"NEEDS YOU  {sentence}")


def _time(moment: datetime | None) -> str:
    return "-" if moment is None else utc(moment)
