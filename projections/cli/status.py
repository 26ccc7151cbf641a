"""`rosterlog status`."""

import click
from pydantic_core import to_json

from ingest.cli.group import group, migrated_engine, settings_of
from ingest.settings import DEFAULT_SOURCE, Settings
from projections.status import SourceStatus, read_status


@group.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@settings_of
def status(settings: Settings, *, as_json: bool) -> None:
    """Show how far each source's log and roster have come, and what is parked."""
    with migrated_engine(settings) as engine, engine.connect() as connection:
        found = read_status(connection, settings.sources or [DEFAULT_SOURCE])
    if as_json:
        click.echo(to_json({"sources": [one.as_json() for one in found]}).decode())
    else:
        _print_status(found)


def _print_status(found: list[SourceStatus]) -> None:
    click.echo(f"{'source':<24}{'head':>12}{'roster':>12}{'lag':>12}{'parked':>12}")
    for one in found:
        folded = one.checkpoints["participants"]
        click.echo(f"{one.source:<24}{one.head:>12}{folded:>12}{one.lag:>12}{one.quarantined:>12}")
