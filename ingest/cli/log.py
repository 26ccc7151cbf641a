"""`rosterlog log`: shows the log to a person; bodies only when asked for."""

import sys
from datetime import datetime
from itertools import islice

import click
from sqlalchemy import Connection

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_engine
from ingest.cli.sources import source_of
from ingest.cli.terminal import printable, say, unicode, utc
from ingest.database import OPERATOR_ROLE
from ingest.failures import WrongUsage
from ingest.log import listing
from ingest.log.listing import Extent, LoggedEvent
from ingest.log.read import heads
from ingest.settings import Settings

_POSITION = click.IntRange(1, 2**63 - 1)
_OF_SOURCE = click.option("--source", help="Default: movemint, or the only source there is.")


@click.group()
def log() -> None:
    """The event log, as it is."""


@log.command("list")
@_OF_SOURCE
@click.option("--from", "first", type=_POSITION, default=1, metavar="POSITION", help="Default: 1.")
@click.option("--to", "last", type=_POSITION, metavar="POSITION", help="Default: the head.")
@click.option("--type", "event_type", help="Only events of this type.")
@click.option("--subject", help="Only events about this participant's id.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True)
@click.option("--oldest", is_flag=True, help="Begin with the oldest. Default: with the newest.")
@settings_of
def list_log(
    settings: Settings,
    source: str | None,
    first: int,
    last: int | None,
    event_type: str | None,
    subject: str | None,
    limit: int,
    *,
    oldest: bool,
) -> None:
    """List events, the newest first: position, when received, size of the body, redeliveries, type, subject."""
    filters = {"event_type": event_type, "subject": subject}
    equal = {column: unicode(value, f"the {column}") for column, value in filters.items() if value is not None}
    if last is not None and last < first:
        raise WrongUsage(f"--from {first} is after --to {last}")
    with migrated_engine(settings, OPERATOR_ROLE) as engine, engine.connect() as connection:
        source, head = _source_and_head(connection, settings, source)
        if first > 1 or last is not None:
            _check(source, first, head)
        events = listing.events_between(connection, Extent(source, first, last or head, equal, oldest), limit + 1)
        for event in islice(events, limit):
            click.echo(_line(event))
        following = next(events, None)
    if following:
        say(f"there are more: {'--oldest --from' if oldest else '--to'} {following.position}")


@log.command("show")
@click.argument("position", type=_POSITION)
@_OF_SOURCE
@click.option("--body", is_flag=True, help="After an empty line, the body exactly as it was received.")
@settings_of
def show_event(settings: Settings, position: int, source: str | None, *, body: bool) -> None:
    """Show one event: everything about it, and its body if asked for."""
    with migrated_engine(settings, OPERATOR_ROLE) as engine, engine.connect() as connection:
        source, head = _source_and_head(connection, settings, source)
        _check(source, position, head)
        events = listing.at(connection, source, position)
        if not events:
            say(f"position {position} of {source} is missing: the log was damaged; rosterlog verify tells more")
            raise SystemExit(1)
        for event, content in events:
            _print(event, listing.erased_at(connection, event))
            if body and content is not None:
                click.echo()
                sys.stdout.flush()
                sys.stdout.buffer.write(content)
    if body and any(content is None for _, content in events):
        say("the body was erased")
        raise SystemExit(1)


def _source_and_head(connection: Connection, settings: Settings, name: str | None) -> tuple[str, int]:
    logged = heads(connection)
    source = source_of(settings, name, logged)
    return source, logged.get(source, 0)


def _check(source: str, position: int, head: int) -> None:
    if position > head:
        extent = f"positions 1 to {head}" if head else "no event yet"
        raise WrongUsage(f"there is no position {position}: {source} has {extent}")


def _line(event: LoggedEvent) -> str:
    size = "erased" if event.size is None else f"{event.size} bytes"
    redeliveries = f"+{event.redeliveries}" if event.redeliveries else ""
    about = f"{printable(event.event_type)}  {printable(event.subject)}"
    return f"{event.position:>10}  {utc(event.received_at)}  {size:>14}  {redeliveries:>4}  {about}"


def _print(event: LoggedEvent, erased_at: datetime | None) -> None:
    last = f", last {utc(event.last_redelivery_at)}" if event.last_redelivery_at else ""
    erased = f"erased {utc(erased_at)}" if erased_at else "gone, and no erasure names it"
    facts = {
        "source": event.source,
        "position": event.position,
        "received_at": utc(event.received_at),
        "event_type": printable(event.event_type),
        "subject": printable(event.subject),
        "size": erased if event.size is None else f"{event.size} bytes",
        "redeliveries": f"{event.redeliveries}{last}",
        "digest": _hex(event.digest),
        "signature": printable(event.signature),
        "chain": _hex(event.chain),
    }
    for name, value in facts.items():
        click.echo(f"{name:<14}{value}")


def _hex(value: bytes | None) -> str:
    return "-" if value is None else value.hex()
