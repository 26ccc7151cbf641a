"""What `rosterlog erase` does with all erasures at once: list, export, take over, carry out again, sweep up."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import click
from sqlalchemy import Engine

from ingest.cli.progress import progress
from ingest.cli.terminal import printable, say, utc
from ingest.failures import WrongUsage
from ingest.log import erase as erasing
from ingest.log.register import NotARegister, read_register, write_register
from projections.folding.erasures import reapply
from projections.folding.projection import Projection


def show_erasures(engine: Engine) -> None:
    """List the erasures, each with the positions of what arrived about its participant since."""
    with engine.connect() as connection:
        found = erasing.all_erasures(connection)
    if not found:
        say("there is no erasure")
    for line in found:
        one = line.erasure
        who = f"{one.source}  participant {printable(one.subject)}"
        why = f"by {printable(one.operator)}: {printable(one.reason)}"
        click.echo(f"{who}  erased {utc(one.erased_at)} {why}  (positions {_joined(one.positions)})")
        if line.undone:
            click.echo(f"  NOT CARRIED OUT at positions {_joined(line.undone)}: run rosterlog erase --reapply")
        if one.lifted_at is not None:
            click.echo(f"  lifted {utc(one.lifted_at)} by {printable(one.lifted_by)}")
        elif line.later:
            click.echo(f"  arrived since, kept and shown to nobody: positions {_joined(line.later)}")


def export_register(engine: Engine, target: str) -> None:
    """Write the register to a file that only its owner can read, or to standard output.

    An earlier export is replaced, unless it knows of an erasure that this database does not.
    """
    with engine.connect() as connection:
        every = [one.erasure for one in erasing.all_erasures(connection)]
    if target == "-":
        click.echo(write_register(every), nl=False)
        return
    try:
        if Path(target).exists():
            _check_known(Path(target), {one.erasure_id for one in every})
        _replace(Path(target), write_register(every))
    except OSError as error:
        raise WrongUsage(f"{target} cannot be written: {error.strerror}") from None
    click.echo(f"erasures exported: {len(every)}")


def _check_known(target: Path, known: set[UUID]) -> None:
    if not target.is_file():
        raise WrongUsage(f"{target} is no file: name one, or - for standard output")
    try:
        earlier = read_register(target.read_bytes())
    except NotARegister:
        raise WrongUsage(f"{target} is there and no export of erasures: choose another name") from None
    if any(one.erasure_id not in known for one in earlier):
        raise WrongUsage(f"{target} holds erasures that this database lacks: erase --import {target} --reapply first")


def _replace(target: Path, content: bytes) -> None:
    """Under another name until it is whole: the export of last time is not lost to a full disk."""
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(target)
        except BaseException:
            Path(file.name).unlink()
            raise


def restore(engine: Engine, projections: Sequence[Projection], register: BinaryIO | None, limit: int | None) -> None:
    """Take over a register, carry out everything again, or both. `limit`: events refolded at a time; None: do not."""
    if register is not None:
        given = read_register(register.read())
        with engine.begin() as connection:
            new = erasing.take_over(connection, given)
        then = "" if limit else "; erase --reapply carries them out"
        click.echo(f"erasures taken over: {len(given)}, new ones: {new}{then}")
    if limit is not None:
        with engine.connect() as connection:
            number = len(erasing.all_erasures(connection))
        with progress("carrying out erasures", number, "erasures") as advance:
            done = reapply(engine, projections, limit, advance)
        click.echo(f"erasures carried out again: {done.erasures}; bodies emptied: {done.emptied}")
        sweep_up(engine)


def sweep_up(engine: Engine) -> None:
    """Remove old row versions, and say what could not be done."""
    swept = erasing.sweep(engine)
    for table in swept.left_alone:
        say(f"{table} has the columns source and participant_id but is not rosterlog's: it was left alone")
    if swept.error is not None:
        say(f"the old row versions are in the tables until the next vacuum: {swept.error}")


def bodies_at(positions: Sequence[int]) -> str:
    """So many bodies, and where."""
    number = f"{len(positions)} bodies" if len(positions) != 1 else "1 body"
    return f"{number} (positions {_joined(positions)})" if positions else number


def _joined(positions: Sequence[int]) -> str:
    return ", ".join(map(str, positions)) or "none"
