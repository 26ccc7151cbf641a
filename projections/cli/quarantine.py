"""`rosterlog quarantine`: what could not be folded, and another try."""

import click
from pydantic_core import to_json
from sqlalchemy import Connection, Engine

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_engine
from ingest.cli.progress import progress
from ingest.cli.sources import source_of
from ingest.cli.terminal import printable, say, utc
from ingest.database import WORKER_ROLE
from ingest.failures import WrongUsage
from ingest.settings import Settings
from projections.cli.definition import projections_of
from projections.folding import quarantine as parking
from projections.folding.quarantine import ParkedEvent, Wanted
from projections.folding.retry import Retrying

_OF_SOURCE = click.option("--source", help="Only of this source. Default: of all of them.")
_AT_A_TIME = 1_000
_POSITION = click.IntRange(1, 2**63 - 1)


@click.group()
def quarantine() -> None:
    """Events that could not be folded. Each holds back nobody but its own participant."""


@quarantine.command("list")
@_OF_SOURCE
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@settings_of
def list_parked(settings: Settings, source: str | None, limit: int, *, as_json: bool) -> None:
    """List what is parked: source, position, participant, projection, since when, and why."""
    with migrated_engine(settings) as engine, engine.connect() as connection:
        found = parking.parked_events(connection, Wanted(_checked(settings, connection, source)), limit + 1)
    if as_json:
        click.echo(to_json({"parked": [_as_json(one) for one in found[:limit]]}).decode())
        return
    for one in found[:limit]:
        click.echo(
            f"{one.source}  {one.position:>10}  {printable(one.participant_id):<16}  {one.projection}  "
            f"{utc(one.parked_at)}  {printable(one.reason)}"
        )
    if not found:
        say("nothing is parked")
    elif len(found) > limit:
        say(f"there are more: --limit {limit * 10}")


@quarantine.command("show")
@click.argument("position", type=_POSITION)
@click.option("--source", help="Default: movemint, or the only source there is.")
@settings_of
def show_parked(settings: Settings, position: int, source: str | None) -> None:
    """Show why the event at a position is parked, and what would bring it back."""
    with migrated_engine(settings) as engine, engine.connect() as connection:
        source = source_of(settings, source, parking.counts(connection))
        found = parking.parked_events(connection, Wanted(source, position), _AT_A_TIME)
    if not found:
        raise _not_parked(position, source)
    for one in found:
        for name, value in _as_json(one).items():
            click.echo(f"{name:<16}{printable(None if value is None else str(value))}")
    about = f" --source {source}" if source_of(settings, None) != source else ""
    click.echo(f"\nthe body:       rosterlog log show {position} --body{about}")
    newer = "" if found[0].participant_id is None else "when a newer good event of the participant arrives; "
    click.echo(f"it heals:       {newer}by rosterlog quarantine retry, or a rebuild, once the fold takes it")


@quarantine.command()
@click.argument("position", type=_POSITION, required=False)
@_OF_SOURCE
@settings_of
def retry(settings: Settings, position: int | None, source: str | None) -> None:
    """Fold what is parked again: everything, or the event at one position. The worker goes on meanwhile."""
    projections = projections_of(settings)
    with migrated_engine(settings, WORKER_ROLE) as engine:
        with engine.connect() as connection:
            given = _checked(settings, connection, source)
            if position is not None and given is None:
                given = source_of(settings, None, parking.counts(connection))
            wanted = Wanted(given, position)
            found = parking.number(connection, wanted)
        if not found:
            if position is not None:
                raise _not_parked(position, given)
            say("nothing is parked")
            return
        _retry(engine, Retrying(projections, settings.batch_size), wanted, found)
        with engine.connect() as connection:
            left = parking.number(connection, wanted)
    click.echo(f"tried again: {found}; still parked: {left}")
    if left:
        raise SystemExit(1)


def _retry(engine: Engine, retrying: Retrying, wanted: Wanted, number: int) -> None:
    last: ParkedEvent | None = None
    with progress("folding again", number) as advance:
        while True:
            with engine.connect() as connection:
                found = parking.parked_events(connection, wanted, _AT_A_TIME, last)
            for one in found:
                if not retrying.is_done(one):
                    with engine.begin() as connection:
                        retrying.retry(connection, one)
            advance(len(found))
            if len(found) < _AT_A_TIME:
                return
            last = found[-1]


def _not_parked(position: int, source: str | None) -> WrongUsage:
    return WrongUsage(f"position {position} of {source} is not parked; rosterlog quarantine list shows what is")


def _checked(settings: Settings, connection: Connection, source: str | None) -> str | None:
    return None if source is None else source_of(settings, source, parking.counts(connection))


def _as_json(one: ParkedEvent) -> dict[str, object]:
    return {
        "source": one.source,
        "position": one.position,
        "participant_id": one.participant_id,
        "projection": one.projection,
        "parked_at": utc(one.parked_at),
        "reason": one.reason,
    }
