"""`rosterlog quarantine`: lists and shows parked events, folds them again, and puts away what can never be read."""

import click
from pydantic_core import to_json
from sqlalchemy import Connection

from ingest.cli.group import settings_of
from ingest.cli.invocation import runnable
from ingest.cli.opening import migrated_engine
from ingest.cli.progress import progress
from ingest.cli.sources import source_of
from ingest.cli.terminal import one_line, printable, say, user_name, utc
from ingest.database import OPERATOR_ROLE, WORKER_ROLE
from ingest.failures import WrongUsage
from ingest.log.read import heads
from ingest.session import LONG
from ingest.settings import Settings
from projections.catalogue import catalogue
from projections.cli.dismissals import NotParked, dismiss_parked, restore_dismissed, said_of, show_dismissed
from projections.folding.dismissal import dismissal_of, dismissed_events
from projections.folding.quarantine import ParkedEvent, Wanted, parked_count, parked_events, sources_with_parked
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
@click.option("--dismissed", is_flag=True, help="Those that were dismissed instead: when, by whom, and why.")
@settings_of
def list_parked(settings: Settings, source: str | None, limit: int, *, as_json: bool, dismissed: bool) -> None:
    """List the parked events: source, position, participant, projection, since when, and why."""
    with migrated_engine(settings) as engine, engine.connect() as connection:
        source = _checked(settings, connection, source)
        if dismissed:
            show_dismissed(dismissed_events(connection, source, limit + 1), limit, as_json=as_json)
            return
        parked = parked_events(connection, Wanted(source, is_dismissed=False), limit + 1)
        any_dismissed = not parked and bool(dismissed_events(connection, source, 1))
    if as_json:
        click.echo(to_json({"parked": [_as_json(event) for event in parked[:limit]]}).decode())
        return
    for event in parked[:limit]:
        click.echo(
            f"{event.source}  {event.position:>10}  {printable(event.participant_id):<16}  {event.projection}  "
            f"{utc(event.parked_at)}  {printable(event.reason)}"
        )
    if not parked:
        say("nothing is parked" + ("; quarantine list --dismissed shows what was dismissed" if any_dismissed else ""))
    elif len(parked) > limit:
        say(f"there are more: --limit {limit * 10}")


@quarantine.command("show")
@click.argument("position", type=_POSITION)
@click.option("--source", help="Default: movemint, or the only source there is.")
@settings_of
def show_parked(settings: Settings, position: int, source: str | None) -> None:
    """Show why the event at a position is parked, and what would heal it."""
    with migrated_engine(settings) as engine, engine.connect() as connection:
        source = source_of(settings, source, sources_with_parked(connection))
        parked = parked_events(connection, Wanted(source, position), _AT_A_TIME)
        away = dismissal_of(connection, source, position)
    if not parked:
        raise NotParked(position, source)
    for event in parked:
        for name, value in _as_json(event).items():
            click.echo(f"{name:<16}{printable(None if value is None else str(value))}")
    if away is not None:
        click.echo(f"dismissed       {said_of(away)}")
    option = f" --source {source}" if source_of(settings, None) != source else ""
    click.echo(f"\nthe body:       rosterlog log show {position} --body{option}")
    newer = "" if parked[0].participant_id is None else "when a newer good event of the participant arrives; "
    click.echo(runnable(f"it heals:       {newer}by rosterlog quarantine retry, or a rebuild, once the fold takes it"))


@quarantine.command()
@click.argument("position", type=_POSITION, required=False)
@_OF_SOURCE
@settings_of
def retry(settings: Settings, position: int | None, source: str | None) -> None:
    """Fold parked events again: all but the dismissed ones, or the one at a position. The worker goes on meanwhile."""
    projections = catalogue(settings.fields_file, settings.time_zone)
    with migrated_engine(settings, WORKER_ROLE, LONG, tells=True) as engine:
        with engine.connect() as connection:
            source = _checked(settings, connection, source)
            if position is not None and source is None:
                source = source_of(settings, None, sources_with_parked(connection))
            wanted = Wanted(source, position, is_dismissed=False if position is None else None)
            before = parked_count(connection, wanted)
        if not before:
            if position is not None:
                raise NotParked(position, source)
            say("nothing is parked")
            return
        with progress("folding again", before) as advance:
            fold_again(engine, projections, wanted, settings.batch_size, advance)
        with engine.connect() as connection:
            left = parked_count(connection, wanted)
    click.echo(f"tried again: {before}; still parked: {left}")
    if left:
        raise SystemExit(1)


@quarantine.command()
@click.argument("position", type=_POSITION)
@click.option("--reason", metavar="TEXT", help="Why it can never be read. The reason is kept: name no person in it.")
@click.option("--restore", is_flag=True, help="Undo a dismissal: the event counts as parked again.")
@click.option("--operator", metavar="NAME", help="Who dismisses it. Default: your user name.")
@click.option("--source", help="Default: movemint, or the only source there is.")
@settings_of
def dismiss(
    settings: Settings, position: int, reason: str | None, operator: str | None, source: str | None, *, restore: bool
) -> None:
    """Put a parked event away that can never be read: it no longer counts as parked, also after a rebuild.

    It stays in the log and in the quarantine, heals as any other, and can be retried by its position.
    """
    if restore and (reason, operator) != (None, None):
        raise WrongUsage("--reason and --operator go with a dismissal, not with --restore")
    why = "" if restore else one_line(reason or "", "--reason")
    who = "" if restore else one_line(operator or user_name(), "--operator")
    with migrated_engine(settings, OPERATOR_ROLE, tells=True) as engine:
        with engine.connect() as connection:
            known = heads(connection) if restore else sources_with_parked(connection)
            source = source_of(settings, source, known)
        if restore:
            restore_dismissed(engine, source, position)
        else:
            dismiss_parked(engine, source, position, who, why)


def _checked(settings: Settings, connection: Connection, source: str | None) -> str | None:
    return None if source is None else source_of(settings, source, sources_with_parked(connection))


def _as_json(event: ParkedEvent) -> dict[str, object]:
    return {
        "source": event.source,
        "position": event.position,
        "participant_id": event.participant_id,
        "projection": event.projection,
        "parked_at": utc(event.parked_at),
        "reason": event.reason,
    }
