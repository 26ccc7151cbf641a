"""`rosterlog erase`: what the operator is asked and told. The erasing itself is the log's."""

import getpass
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import click
from sqlalchemy import Connection, Engine, text

from ingest.cli.group import WrongUsage, group, migrated_engine, say, settings_of, source_of, unicode, utc
from ingest.cli.progress import progress
from ingest.database import OPERATOR_ROLE, WORKER_ROLE
from ingest.log import erase as erasing
from ingest.log.event import Erasure
from ingest.log.read import heads
from ingest.log.register import NotARegister, read_register, write_register
from ingest.settings import Settings
from projections.refold import refold


@group.command()
@click.argument("participant_id", required=False)
@click.option("--reason", metavar="TEXT", help="Why. It is kept, so do not name the person.")
@click.option("--source", help="Default: movemint, or the only source there is.")
@click.option("--operator", metavar="NAME", help="Who asks for it. Default: this system's user.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--lift", is_flag=True, help="Show again what arrives about them. Nothing erased comes back.")
@click.option("--list", "show", is_flag=True, help="Show the erasures, and what arrived about their people since.")
@click.option(
    "--export", "export_to", metavar="FILE", help="Write all erasures to a new file, or to - (standard output)."
)
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
    lift: bool,
    show: bool,
    reapply: bool,
) -> None:
    """Erase a participant: the bodies of their events, and every trace in the projections.

    The events stay, without their bodies, so that the log can still be proved and a late redelivery is known. Copies
    in backups, replicas and the write-ahead log stay until those are gone.
    """
    if participant_id is not None:
        participant_id = unicode(participant_id, "PARTICIPANT_ID")
    about_all = show, export_to is not None, register is not None or reapply
    if sum((*about_all, lift)) > 1:
        raise WrongUsage("only --import and --reapply go together: everything else is done by itself")
    if any(about_all) == (participant_id is not None):
        raise WrongUsage("name one participant to erase or to lift, or give --list, --export, --import or --reapply")
    operator = _line(operator or _user(), "--operator")
    reason = None if lift or participant_id is None else _line(reason or "", "--reason")
    with migrated_engine(settings, OPERATOR_ROLE) as engine:
        if participant_id is not None:
            with engine.connect() as connection:
                source = source_of(settings, source, heads(connection))
            if reason is None:
                _lift(engine, source, participant_id, operator, settings.batch_size)
            else:
                _erase(engine, source, participant_id, operator, reason, yes=yes)
        elif show:
            _list(engine)
        elif export_to is not None:
            _export(engine, export_to)
        else:
            _take_over(engine, register)
            if reapply:
                _reapply(engine, settings.batch_size)


def _line(value: str, option: str) -> str:
    if not value.strip() or not value.isprintable():
        raise WrongUsage(f"give {option}, a line of text; nothing was changed")
    return value.strip()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container, whoever runs this may have no name
        return ""


def _erase(engine: Engine, source: str, participant_id: str, operator: str, reason: str, *, yes: bool) -> None:
    with engine.connect() as connection:
        positions = _bodies_of(connection, source, participant_id)
    if not positions:
        click.echo(f"participant {participant_id} of {source} is erased already; nothing arrived since")
        return
    if not yes:
        _ask(f"Erase {_count(positions)} of participant {participant_id} of {source}? They cannot be brought back.")
    with engine.begin() as connection:
        positions = erasing.erase(connection, source, participant_id, operator, reason)
    click.echo(f"erased participant {participant_id} of {source}: {_count(positions)} emptied")
    _sweep(engine)
    say("backups, replicas and the write-ahead log may still hold copies; docs/operations.md says for how long")


def _lift(engine: Engine, source: str, participant_id: str, operator: str, limit: int) -> None:
    with engine.begin() as connection:
        if not erasing.lift(connection, source, participant_id, operator):
            raise WrongUsage(
                f"no erasure of participant {participant_id} of {source} is in force; erase --list shows all"
            )
        _fold_again(connection, source, participant_id, limit)
        positions = _bodies_of(connection, source, participant_id)
    click.echo(f"lifted the erasure of participant {participant_id} of {source}: {_count(positions)} shown again")


def _reapply(engine: Engine, limit: int) -> None:
    with engine.connect() as connection:
        every = [one for one, _ in erasing.listed(connection)]
    emptied = 0
    with progress("erasures", len(every), "erasures") as advance:
        for one in every:
            with engine.begin() as connection:
                emptied += len(erasing.carry_out(connection, one.source, one.erasure_id))
                _fold_again(connection, one.source, one.subject, limit)
            advance(1)
    click.echo(f"carried out {len(every)} erasures again: {emptied} bodies emptied")
    _sweep(engine)


def _fold_again(connection: Connection, source: str, participant_id: str, limit: int) -> None:
    """What arrived since and is not withheld becomes a row again; projections are the worker's to write."""
    connection.execute(text(f"set local role {WORKER_ROLE}"))
    refold(connection, source, participant_id, limit)
    connection.execute(text(f"set local role {OPERATOR_ROLE}"))


def _sweep(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("reset role"))
        erasing.sweep(connection)
        connection.invalidate()  # nobody else shall have it without its role


def _list(engine: Engine) -> None:
    with engine.connect() as connection:
        for one, with_bodies in erasing.listed(connection):
            click.echo(
                f"{one.source}  participant {one.subject}  erased {utc(one.erased_at)} by {one.operator}: "
                f"{one.reason}  (positions {_joined(one.positions)})"
            )
            if one.lifted_at is not None:
                click.echo(f"  lifted {utc(one.lifted_at)} by {one.lifted_by}")
            elif with_bodies:
                click.echo(f"  arrived since, kept and shown to nobody: positions {_joined(with_bodies)}")


def _export(engine: Engine, target: str) -> None:
    with engine.connect() as connection:
        every = [one for one, _ in erasing.listed(connection)]
    content = write_register(every)
    if target == "-":
        click.echo(content, nl=False)
        return
    try:
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except OSError as error:
        raise WrongUsage(f"{Path(target)} cannot be written: {error.strerror}") from None
    click.echo(f"exported {len(every)} erasures")


def _take_over(engine: Engine, register: BinaryIO | None) -> None:
    if register is None:
        return
    try:
        given: Sequence[Erasure] = read_register(register.read())
    except NotARegister as error:
        raise WrongUsage(str(error)) from None
    with engine.begin() as connection:
        new = erasing.take_over(connection, given)
    click.echo(f"took over {len(given)} erasures, {new} of them new; erase --reapply carries them out")


def _bodies_of(connection: Connection, source: str, participant_id: str) -> list[int]:
    positions = None if "\x00" in participant_id else erasing.bodies_of(connection, source, participant_id)
    if positions is None:
        raise WrongUsage(f"the log of {source} knows no participant {participant_id}; nothing was changed")
    return positions


def _ask(question: str) -> None:
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        raise WrongUsage("nobody answered, so nothing was erased: add --yes where nobody can be asked") from None
    if not agreed:
        say("nothing was erased")
        raise SystemExit(1)


def _count(positions: Sequence[int]) -> str:
    number = f"{len(positions)} bodies" if len(positions) != 1 else "1 body"
    return f"{number} (positions {_joined(positions)})" if positions else number


def _joined(positions: Sequence[int]) -> str:
    return ", ".join(map(str, positions)) or "none"
