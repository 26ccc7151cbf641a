"""`rosterlog fields`: which keys arrived under `data.object`, and which column each is mapped to."""

from collections.abc import Iterator

import click
from pydantic_core import to_json
from sqlalchemy import Connection

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_engine
from ingest.cli.progress import progress
from ingest.cli.sources import source_of
from ingest.cli.terminal import padded, printable, say, width
from ingest.database import WORKER_ROLE
from ingest.log.event import Event
from ingest.log.read import heads, read_after
from ingest.session import LONG
from ingest.settings import Settings
from ingest.time_zone import time_zone
from projections.folding.calendar import Calendar, RaceDates
from projections.participants.ahead import ahead_of_time, in_a_sentence
from projections.participants.discovery import LONGEST_PATH, MOST_PATHS, Discovery, FoundKey
from projections.participants.fields import read_fields

_AT_A_TIME = 2_000  # events


@click.command()
@click.option("--source", help="Only this source. Default: all sources.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@settings_of
def fields(settings: Settings, source: str | None, *, as_json: bool) -> None:
    """Show which keys really arrived under data.object, and which column each is mapped to. No value is shown."""
    declared = read_fields(settings.fields_file, time_zone(settings.time_zone))
    discovery = Discovery(declared)
    with migrated_engine(settings, WORKER_ROLE, LONG) as engine, engine.connect() as connection:
        head = heads(connection)
        sources = [source_of(settings, source, head)] if source else sorted(head)
        with progress("reading the log", sum(head.get(name, 0) for name in sources)) as advance:
            for name in sources:
                for events in _events(connection, name, head.get(name, 0)):
                    for event in events:
                        discovery.add(event)
                    advance(len(events))
        ahead = ahead_of_time(connection, sources)
    if as_json:
        found = {**_as_json(discovery), **_calendar_json(declared.calendar), "ahead_of_time": sum(ahead.values())}
        click.echo(to_json(found).decode())
    else:
        _print(discovery)
        _print_calendar(declared.calendar)
        if ahead:
            say(in_a_sentence(ahead))


def _events(connection: Connection, source: str, head: int) -> Iterator[list[Event]]:
    position = 0
    while position < head:
        events = list(read_after(connection, source, position, _AT_A_TIME))
        connection.rollback()  # a transaction open for the whole log would keep vacuum from removing old rows
        yield events
        position = events[-1].position


def _as_json(discovery: Discovery) -> dict[str, object]:
    return {
        "events": discovery.events,
        "unread": discovery.unread,
        "erased": discovery.erased,
        "other_types": dict(discovery.other_types),
        "unmapped": discovery.unmapped,
        "keys": [key.as_json() for key in discovery.keys],
        "empty_columns": discovery.empty_columns,
        "left_out": discovery.left_out,
    }


def _print(discovery: Discovery) -> None:
    keys = discovery.keys
    longest = max([width(printable(key.path)) for key in keys] + [3])
    click.echo(f"{'key':<{longest}}  {'events':>10}  {'column':<18}  {'types':<28}  shapes")
    for key in keys:
        types = ", ".join(f"{name} {number}" for name, number in key.types.most_common())
        shapes = "  ".join(printable(shape) for shape in key.shapes)
        click.echo(
            f"{padded(printable(key.path), longest)}  {key.events:>10}  {_column(key):<18}  {types:<28}  "
            f"{shapes}".rstrip()
        )
        for column, number in key.unconverted.items():
            click.echo(f"{'':<{longest}}  {number:>10}  did not convert to {column}")
    click.echo(f"\n{discovery.events} events with a participant, {discovery.unread} without, {discovery.erased} erased")
    for event_type, number in discovery.other_types.most_common():
        click.echo(f"{number} of the type {printable(event_type)}, which is not folded")
    click.echo(f"not mapped: {', '.join(map(printable, discovery.unmapped)) or 'none'}")
    click.echo(f"columns that nothing arrived for: {', '.join(discovery.empty_columns) or 'none'}")
    click.echo('To point a column at another key: ROSTERLOG_FIELDS, a file with lines such as bib = "race_number"')
    if discovery.left_out:
        say(
            f"{discovery.left_out} values were left out: of keys after the first {MOST_PATHS}, of keys longer than "
            f"{LONGEST_PATH} characters, or of participants that are too large to be read whole"
        )


def _calendar_json(calendar: Calendar) -> dict[str, object]:
    races = [
        {
            "event_id": race.event_id,
            "time_zone": race.time_zone.name,
            "starts_on": race.starts_on,
            "previous": race.previous,
        }
        for race in calendar.races
    ]
    return {"time_zone": calendar.time_zone.name, "races": races}


def _print_calendar(calendar: Calendar) -> None:
    others = "; but for these events:" if calendar.races else ""
    click.echo(f"days are in the time zone {calendar.time_zone.name}, by ROSTERLOG_TIME_ZONE{others}")
    for race in calendar.races:
        click.echo(f"  {printable(race.event_id)}: {_known(race)}")


def _known(race: RaceDates) -> str:
    starts = f", starts on {race.starts_on}" if race.starts_on else ""
    previous = f", its previous edition is {printable(race.previous)}" if race.previous else ""
    return f"{race.time_zone.name}{starts}{previous}"


def _column(key: FoundKey) -> str:
    return ", ".join(key.columns) or "-"
