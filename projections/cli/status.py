"""`rosterlog status`: how far logs and projections are, what is parked, and what needs a rebuild."""

import click
from pydantic_core import to_json

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_engine
from ingest.settings import DEFAULT_SOURCE, Settings
from projections.catalogue import catalogue
from projections.folding.status import ProjectionStatus, SourceStatus, read_projections, read_status


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@settings_of
def status(settings: Settings, *, as_json: bool) -> None:
    """Show how far each source's log and roster have come, what is parked, and what needs a rebuild."""
    projections = catalogue(settings.fields_file)
    with migrated_engine(settings) as engine, engine.connect() as connection:
        of_sources = read_status(connection, projections, settings.sources or [DEFAULT_SOURCE])
        of_projections = read_projections(connection, projections)
    if as_json:
        sources = [source.as_json() for source in of_sources]
        click.echo(to_json({"sources": sources, "projections": [live.as_json() for live in of_projections]}).decode())
    else:
        _print_status(of_sources, of_projections)


def _print_status(of_sources: list[SourceStatus], of_projections: list[ProjectionStatus]) -> None:
    names = [live.projection for live in of_projections]
    titles = "".join(f"{name + ' at':>20}" for name in names)
    click.echo(f"{'source':<24}{'head':>12}{titles}{'lag':>12}{'parked':>12}")
    for source in of_sources:
        checkpoints = "".join(f"{source.checkpoints[name]:>20}" for name in names)
        click.echo(f"{source.source:<24}{source.head:>12}{checkpoints}{source.lag:>12}{source.quarantined:>12}")
    if any(source.quarantined for source in of_sources):
        click.echo("parked: rosterlog quarantine list shows what, and why")
    for live in of_projections:
        if live.needs_rebuild:
            click.echo(
                f"{live.projection}: build {live.build} is live, of another definition, so nothing is folded into it: "
                f"set ROSTERLOG_FIELDS as it was then, or run rosterlog rebuild {live.projection} if this one is right"
            )
        elif live.build is not None:
            click.echo(f"{live.projection}: build {live.build} is live")
