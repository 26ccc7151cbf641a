"""`rosterlog erase`: erases one participant, or lifts an erasure; `erasures` has the options about all erasures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import click
from sqlalchemy import Engine

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_database
from ingest.cli.sources import source_of
from ingest.cli.terminal import ask, one_line, say, unicode, user_name
from ingest.database import OPERATOR_ROLE, sync_engine
from ingest.failures import WrongUsage
from ingest.log import erase as erasing
from ingest.log.read import heads
from ingest.session import LONG
from ingest.settings import Settings
from projections.catalogue import catalogue
from projections.cli import erasures
from projections.folding.erasures import lift
from projections.folding.projection import Projection


@click.command()
@click.argument("participant_id", required=False)
@click.option("--reason", metavar="TEXT", help="Why. The reason is kept: do not name the person in it.")
@click.option("--source", help="Default: movemint, or the only source there is.")
@click.option("--operator", metavar="NAME", help="Who asks for the erasure. Default: your user name.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--lift", "is_lift", is_flag=True, help="End an erasure: show what arrived since. Bodies stay erased.")
@click.option("--list", "show", is_flag=True, help="List the erasures, and what arrived about each participant since.")
@click.option("--export", "export_to", metavar="FILE", help="Write all erasures to a file, or to - (standard output).")
@click.option("--import", "register", metavar="FILE", type=click.File("rb"), help="Take over exported erasures.")
@click.option("--reapply", is_flag=True, help="Carry out all erasures again: after every restore of a backup.")
@settings_of
def erase(
    settings: Settings,
    participant_id: str | None,
    reason: str | None,
    source: str | None,
    operator: str | None,
    export_to: str | None,
    register: BinaryIO | None,
    *,
    yes: bool,
    is_lift: bool,
    show: bool,
    reapply: bool,
) -> None:
    """Erase a participant: the bodies of their events, and their rows in every projection.

    The events stay, without their bodies, so that the log can still be proved and a late redelivery is recognised.
    Copies in backups, replicas and the write-ahead log stay as long as these are kept.
    """
    about_all = show, export_to is not None, register is not None or reapply
    if sum((*about_all, is_lift)) > 1:
        raise WrongUsage("only --import and --reapply go together: give every other option alone")
    if any(about_all) == (participant_id is not None):
        raise WrongUsage("name one participant to erase or to lift, or give --list, --export, --import or --reapply")
    projections = catalogue(settings.fields_file, settings.time_zone)
    request = _request(participant_id, source, operator, reason, lift=is_lift)
    with _engines(settings, tells=not show and export_to is None) as (engine, owner):
        if request is not None:
            with engine.connect() as connection:
                source = source_of(settings, source, heads(connection))
            if is_lift:
                _lift(engine, projections, source, request, settings.batch_size)
            else:
                _erase(engine, owner, source, request, yes=yes)
        elif show:
            erasures.show_erasures(engine)
        elif export_to is not None:
            erasures.export_register(engine, export_to)
        else:
            erasures.restore(engine, owner, projections, register, settings.batch_size if reapply else None)


@contextmanager
def _engines(settings: Settings, *, tells: bool) -> Iterator[tuple[Engine, Engine]]:
    """Engines on the database in use: in the operator's role, and in none."""
    with migrated_database(settings, tells=tells, is_direct=True) as conninfo:
        engine, owner = sync_engine(conninfo, OPERATOR_ROLE, LONG), sync_engine(conninfo, None, LONG)
        try:
            yield engine, owner
        finally:
            engine.dispose()
            owner.dispose()


@dataclass(frozen=True, slots=True)
class _Request:
    """The participant, who asks, and why; "" for the reason of a lifting."""

    participant_id: str
    operator: str
    reason: str


def _request(
    participant_id: str | None, source: str | None, operator: str | None, reason: str | None, *, lift: bool
) -> _Request | None:
    if participant_id is None:
        if (source, operator, reason) != (None, None, None):
            raise WrongUsage("--source, --operator and --reason go with a participant")
        return None
    if lift and reason is not None:
        raise WrongUsage("--reason is for erasing; a lifted erasure keeps its own")
    return _Request(
        unicode(participant_id, "PARTICIPANT_ID"),
        one_line(operator or user_name(), "--operator"),
        "" if lift else one_line(reason or "", "--reason"),
    )


def _erase(engine: Engine, owner: Engine, source: str, request: _Request, *, yes: bool) -> None:
    person = f"participant {request.participant_id} of {source}"
    with engine.connect() as connection:
        positions = erasing.bodies_of(connection, source, request.participant_id)
        is_in_force = erasing.is_in_force(connection, source, request.participant_id)
    if positions is None:
        raise WrongUsage(f"the log of {source} knows no participant {request.participant_id}; nothing was changed")
    if not positions and is_in_force:
        click.echo(f"{person} is erased already; nothing arrived since")
        return
    if not yes:
        _ask(f"Erase {erasures.bodies_at(positions)} of {person}? They cannot be brought back.")
    with engine.begin() as connection:
        positions = erasing.erase(connection, source, request.participant_id, request.operator, request.reason)
    click.echo(f"erased {person}: {erasures.bodies_at(positions)} emptied")
    erasures.sweep_up(owner)
    say("backups, replicas and the write-ahead log may still hold copies; docs/operations.md says for how long")


def _lift(engine: Engine, projections: Sequence[Projection], source: str, request: _Request, limit: int) -> None:
    person = f"participant {request.participant_id} of {source}"
    positions = lift(engine, projections, source, request.participant_id, request.operator, limit)
    if positions is None:
        raise WrongUsage(f"there is no erasure of {person} to lift; erase --list shows all")
    click.echo(f"lifted the erasure of {person}: {erasures.bodies_at(positions)} shown again")


def _ask(question: str) -> None:
    if not ask(question, "nobody answered, so nothing was erased: add --yes where nobody can be asked"):
        say("nothing was erased")
        raise SystemExit(1)
