"""`rosterlog status`."""

import click
from pydantic_core import to_json

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_engine
from ingest.settings import DEFAULT_SOURCE, Settings
from projections.cli.definition import projections_of
from projections.folding.status import ProjectionStatus, SourceStatus, read_projections, read_status


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@settings_of
def status(settings: Settings, *, as_json: bool) -> None:
    """Show how far each source's log and roster have come, what is parked, and what needs a rebuild."""
    projections = projections_of(settings)
    with migrated_engine(settings) as engine, engine.connect() as connection:
        found = read_status(connection, projections, settings.sources or [DEFAULT_SOURCE])
        built = read_projections(connection, projections)
    if as_json:
        shown = {"sources": [one.as_json() for one in found], "projections": [one.as_json() for one in built]}
        click.echo(to_json(shown).decode())
    else:
        _print_status(found, built)


def _print_status(found: list[SourceStatus], built: list[ProjectionStatus]) -> None:
    names = [one.projection for one in built]
    heads = "".join(f"{name + ' at':>20}" for name in names)
    click.echo(f"{'source':<24}{'head':>12}{heads}{'lag':>12}{'parked':>12}")
    for one in found:
        folded = "".join(f"{one.checkpoints[name]:>20}" for name in names)
        click.echo(f"{one.source:<24}{one.head:>12}{folded}{one.lag:>12}{one.quarantined:>12}")
    if any(one.quarantined for one in found):
        click.echo("parked: rosterlog quarantine list shows what, and why")
    for live in built:
        if live.needs_rebuild:
            click.echo(
                f"{live.projection}: build {live.build} is live, of another definition, so nothing is folded into it: "
                f"set ROSTERLOG_FIELDS as it was then, or run rosterlog rebuild {live.projection} if this one is right"
            )
        elif live.build is not None:
            click.echo(f"{live.projection}: build {live.build} is live")
