"""`rosterlog log`: shows the log to a person. Bodies only when asked for."""

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
from ingest.log.listing import LoggedEvent
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
@settings_of
def list_log(
    settings: Settings,
    source: str | None,
    first: int,
    last: int | None,
    event_type: str | None,
    subject: str | None,
    limit: int,
) -> None:
    """List events: position, when received, size of the body, redeliveries, type, subject."""
    given = {"event_type": event_type, "subject": subject}
    equal = {column: unicode(value, f"the {column}") for column, value in given.items() if value is not None}
    if last is not None and last < first:
        raise WrongUsage(f"--from {first} is after --to {last}")
    with migrated_engine(settings, OPERATOR_ROLE) as engine, engine.connect() as connection:
        source, head = _known(connection, settings, source)
        if first > 1 or last is not None:
            _check(source, first, head)
        found = listing.events_between(connection, source, first, last or head, equal, limit + 1)
        for one in islice(found, limit):
            click.echo(_line(one))
        following = next(found, None)
    if following:
        say(f"there are more: --from {following.position}")


@log.command("show")
@click.argument("position", type=_POSITION)
@_OF_SOURCE
@click.option("--body", is_flag=True, help="After an empty line, the body exactly as it was received.")
@settings_of
def show_event(settings: Settings, position: int, source: str | None, *, body: bool) -> None:
    """Show one event: everything about it, and its body if asked for."""
    with migrated_engine(settings, OPERATOR_ROLE) as engine, engine.connect() as connection:
        source, head = _known(connection, settings, source)
        _check(source, position, head)
        found = listing.at(connection, source, position)
        if not found:
            say(f"position {position} of {source} is missing: the log was damaged; rosterlog verify tells more")
            raise SystemExit(1)
        for one, content in found:
            _print(one, listing.erased_at(connection, one))
            if body and content is not None:
                click.echo()
                sys.stdout.flush()
                sys.stdout.buffer.write(content)
    if body and any(content is None for _, content in found):
        say("the body was erased")
        raise SystemExit(1)


def _known(connection: Connection, settings: Settings, given: str | None) -> tuple[str, int]:
    held = heads(connection)
    source = source_of(settings, given, held)
    return source, held.get(source, 0)


def _check(source: str, position: int, head: int) -> None:
    if position > head:
        has = f"positions 1 to {head}" if head else "no event yet"
        raise WrongUsage(f"there is no position {position}: {source} has {has}")


def _line(one: LoggedEvent) -> str:
    size = "erased" if one.size is None else f"{one.size} bytes"
    again = f"+{one.redeliveries}" if one.redeliveries else ""
    named = f"{printable(one.event_type)}  {printable(one.subject)}"
    return f"{one.position:>10}  {utc(one.received_at)}  {size:>14}  {again:>4}  {named}"


def _print(one: LoggedEvent, erased_at: datetime | None) -> None:
    last = f", last {utc(one.last_redelivery_at)}" if one.last_redelivery_at else ""
    erased = f"erased {utc(erased_at)}" if erased_at else "gone, and no erasure names it"
    facts = {
        "source": one.source,
        "position": one.position,
        "received_at": utc(one.received_at),
        "event_type": printable(one.event_type),
        "subject": printable(one.subject),
        "size": erased if one.size is None else f"{one.size} bytes",
        "redeliveries": f"{one.redeliveries}{last}",
        "digest": _hex(one.digest),
        "signature": printable(one.signature),
        "chain": _hex(one.chain),
    }
    for name, value in facts.items():
        click.echo(f"{name:<14}{value}")


def _hex(value: bytes | None) -> str:
    return "-" if value is None else value.hex()
