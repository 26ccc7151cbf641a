"""Dismissals as `rosterlog quarantine` makes, undoes and lists them."""

from collections.abc import Sequence
from dataclasses import asdict

import click
from pydantic_core import to_json
from sqlalchemy import Engine

from ingest.cli.terminal import printable, say, utc
from ingest.failures import WrongUsage
from projections.folding import dismissal
from projections.folding.dismissal import DismissedEvent
from projections.folding.quarantine import Wanted, parked_count


class NotParked(WrongUsage):
    """No live build has the event in its quarantine."""

    def __init__(self, position: int, source: str | None) -> None:
        super().__init__(f"position {position} of {source} is not parked; rosterlog quarantine list shows what is")


def dismiss_parked(engine: Engine, source: str, position: int, operator: str, reason: str) -> None:
    """Dismiss a parked event. Raises `NotParked`, or `WrongUsage` if it is dismissed already."""
    with engine.begin() as connection:
        if not parked_count(connection, Wanted(source, position)):
            raise NotParked(position, source)
        if not dismissal.note_dismissal(connection, source, position, operator, reason):
            raise WrongUsage(f"position {position} of {source} is dismissed already; --restore undoes it")
    click.echo(f"dismissed position {position} of {source}")


def restore_dismissed(engine: Engine, source: str, position: int) -> None:
    """Undo a dismissal. Raises `WrongUsage` if there is none."""
    with engine.begin() as connection:
        if not dismissal.undo_dismissal(connection, source, position):
            raise WrongUsage(f"position {position} of {source} is not dismissed; quarantine list --dismissed shows all")
        is_parked = parked_count(connection, Wanted(source, position)) > 0
    then = "it counts as parked again" if is_parked else "it is not parked any more"
    click.echo(f"restored position {position} of {source}: {then}")


def show_dismissed(events: Sequence[DismissedEvent], limit: int, *, as_json: bool) -> None:
    """Print up to `limit` of the dismissed events: when, by whom and why, and whether they are still parked."""
    if as_json:
        rows = [{**asdict(event), "dismissed_at": utc(event.dismissed_at)} for event in events[:limit]]
        click.echo(to_json({"dismissed": rows}).decode())
        return
    for event in events[:limit]:
        state = "parked" if event.is_parked else "not parked any more"
        click.echo(f"{event.source}  {event.position:>10}  {state}  {said_of(event)}")
    if not events:
        say("nothing is dismissed")
    elif len(events) > limit:
        say(f"there are more: --limit {limit * 10}")


def said_of(event: DismissedEvent) -> str:
    """When an event was dismissed, by whom and why."""
    return f"{utc(event.dismissed_at)} by {printable(event.operator)}: {printable(event.reason)}"
