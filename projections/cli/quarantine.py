"""`rosterlog quarantine`: lists and shows parked events, and folds them again."""

import click
from pydantic_core import to_json
from sqlalchemy import Connection

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_engine
from ingest.cli.progress import progress
from ingest.cli.sources import source_of
from ingest.cli.terminal import printable, say, utc
from ingest.database import WORKER_ROLE
from ingest.failures import WrongUsage
from ingest.session import LONG
from ingest.settings import Settings
from projections.catalogue import catalogue
from projections.folding.quarantine import ParkedEvent, Wanted, parked_by_source, parked_count, parked_events
from projections.folding.retry import retry as fold_again

_OF_SOURCE = click.option("--source", help="Only this source. Default: all sources.")
_AT_A_TIME = 1_000  # events
_POSITION = click.IntRange(1, 2**63 - 1)


@click.group()
def quarantine() -> None:
    """Events that could not be folded. Each holds back only its own participant."""


@quarantine.command("list")
@_OF_SOURCE
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@settings_of
def list_parked(settings: Settings, source: str | None, limit: int, *, as_json: bool) -> None:
    """List the parked events: source, position, participant, projection, since when, and why."""
    with migrated_engine(settings) as engine, engine.connect() as connection:
        parked = parked_events(connection, Wanted(_checked(settings, connection, source)), limit + 1)
    if as_json:
        click.echo(to_json({"parked": [_as_json(event) for event in parked[:limit]]}).decode())
        return
    for event in parked[:limit]:
        click.echo(
            f"{event.source}  {event.position:>10}  {printable(event.participant_id):<16}  {event.projection}  "
            f"{utc(event.parked_at)}  {printable(event.reason)}"
        )
    if not parked:
        say("nothing is parked")
    elif len(parked) > limit:
        say(f"there are more: --limit {limit * 10}")


@quarantine.command("show")
@click.argument("position", type=_POSITION)
@click.option("--source", help="Default: movemint, or the only source there is.")
@settings_of
def show_parked(settings: Settings, position: int, source: str | None) -> None:
    """Show why the event at a position is parked, and what would heal it."""
    with migrated_engine(settings) as engine, engine.connect() as connection:
        source = source_of(settings, source, parked_by_source(connection))
        parked = parked_events(connection, Wanted(source, position), _AT_A_TIME)
    if not parked:
        raise _not_parked(position, source)
    for event in parked:
        for name, value in _as_json(event).items():
            click.echo(f"{name:<16}{printable(None if value is None else str(value))}")
    option = f" --source {source}" if source_of(settings, None) != source else ""
    click.echo(f"\nthe body:       rosterlog log show {position} --body{option}")
    newer = "" if parked[0].participant_id is None else "when a newer good event of the participant arrives; "
    click.echo(f"it heals:       {newer}by rosterlog quarantine retry, or a rebuild, once the fold takes it")


@quarantine.command()
@click.argument("position", type=_POSITION, required=False)
@_OF_SOURCE
@settings_of
def retry(settings: Settings, position: int | None, source: str | None) -> None:
    """Fold parked events again: all of them, or the one at a position. The worker goes on meanwhile."""
    projections = catalogue(settings.fields_file)
    with migrated_engine(settings, WORKER_ROLE, LONG, tells=True) as engine:
        with engine.connect() as connection:
            source = _checked(settings, connection, source)
            if position is not None and source is None:
                source = source_of(settings, None, parked_by_source(connection))
            wanted = Wanted(source, position)
            before = parked_count(connection, wanted)
        if not before:
            if position is not None:
                raise _not_parked(position, source)
            say("nothing is parked")
            return
        with progress("folding again", before) as advance:
            fold_again(engine, projections, wanted, settings.batch_size, advance)
        with engine.connect() as connection:
            left = parked_count(connection, wanted)
    click.echo(f"tried again: {before}; still parked: {left}")
    if left:
        raise SystemExit(1)


def _not_parked(position: int, source: str | None) -> WrongUsage:
    return WrongUsage(f"position {position} of {source} is not parked; rosterlog quarantine list shows what is")


def _checked(settings: Settings, connection: Connection, source: str | None) -> str | None:
    return None if source is None else source_of(settings, source, parked_by_source(connection))


def _as_json(event: ParkedEvent) -> dict[str, object]:
    return {
        "source": event.source,
        "position": event.position,
        "participant_id": event.participant_id,
        "projection": event.projection,
        "parked_at": utc(event.parked_at),
        "reason": event.reason,
    }
