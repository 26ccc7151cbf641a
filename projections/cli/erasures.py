"""What `rosterlog erase` does with all erasures at once: list, export, take over, carry out again, vacuum."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import click
from sqlalchemy import Engine

from ingest.cli.invocation import runnable
from ingest.cli.progress import progress
from ingest.cli.terminal import printable, say, utc
from ingest.failures import WrongUsage
from ingest.log import erase
from ingest.log.register import NotARegister, read_register, write_register
from projections.cli.output import written
from projections.folding.erasures import reapply
from projections.folding.projection import Projection


def show_erasures(engine: Engine) -> None:
    """Print the erasures, each with the positions of the events that arrived about its participant since."""
    with engine.connect() as connection:
        all_listed = erase.all_erasures(connection)
    if not all_listed:
        say("there is no erasure")
    for listed in all_listed:
        erasure = listed.erasure
        who = f"{erasure.source}  participant {printable(erasure.subject)}"
        why = f"by {printable(erasure.operator)}: {printable(erasure.reason)}"
        click.echo(f"{who}  erased {utc(erasure.erased_at)} {why}  (positions {_joined(erasure.positions)})")
        if listed.undone:
            click.echo(
                runnable(f"  NOT CARRIED OUT at positions {_joined(listed.undone)}: run rosterlog erase --reapply")
            )
        if erasure.lifted_at is not None:
            click.echo(f"  lifted {utc(erasure.lifted_at)} by {printable(erasure.lifted_by)}")
        elif listed.later:
            click.echo(f"  arrived since, kept and shown to nobody: positions {_joined(listed.later)}")


def export_register(engine: Engine, target: str) -> None:
    """Write all erasures to a file that only its owner can read, or to standard output if the target is "-".

    An earlier export is replaced, unless it has an erasure that this database lacks.
    """
    with engine.connect() as connection:
        erasures = [listed.erasure for listed in erase.all_erasures(connection)]
    path = None if target == "-" else Path(target)
    if path is not None and os.path.lexists(path):
        _check_known(path, {erasure.erasure_id for erasure in erasures})
    with written(path) as write:
        write(write_register(erasures))
    if path is not None:
        click.echo(f"erasures exported: {len(erasures)}")


def _check_known(target: Path, known: set[UUID]) -> None:
    try:
        if not stat.S_ISREG(target.stat().st_mode):
            raise WrongUsage(f"{target} is no file: name one, or - for standard output")
        earlier = read_register(target.read_bytes())
    except FileNotFoundError:  # a link to a file that is not there yet
        return
    except OSError as error:
        raise WrongUsage(f"{target} cannot be read: {error.strerror}") from None
    except NotARegister:
        raise WrongUsage(f"{target} is there and no export of erasures: choose another name") from None
    if any(erasure.erasure_id not in known for erasure in earlier):
        raise WrongUsage(f"{target} holds erasures that this database lacks: erase --import {target} --reapply first")


def restore(
    engine: Engine, owner: Engine, projections: Sequence[Projection], register: BinaryIO | None, limit: int | None
) -> None:
    """Take over an export, carry out all erasures again, or both. `owner`: as for `sweep_up`.

    `register`: the export; None: take over nothing. `limit`: events refolded at a time; None: carry out nothing.
    """
    if register is not None:
        exported = read_register(register.read())
        with engine.begin() as connection:
            new = erase.take_over(connection, exported)
        then = "" if limit else "; erase --reapply carries them out"
        click.echo(f"erasures taken over: {len(exported)}, new ones: {new}{then}")
    if limit is not None:
        with engine.connect() as connection:
            number = len(erase.all_erasures(connection))
        with progress("carrying out erasures", number, "erasures") as advance:
            reapplied = reapply(engine, projections, limit, advance)
        click.echo(f"erasures carried out again: {reapplied.erasures}; bodies emptied: {reapplied.emptied}")
        sweep_up(owner)


def sweep_up(owner: Engine) -> None:
    """Vacuum the old row versions away, and say which tables were left alone or why it failed.

    `owner`: in no role, but of the login that owns the tables.
    """
    swept = erase.sweep(owner)
    for table in swept.left_alone:
        say(f"{table} has the columns source and participant_id but is not rosterlog's: it was left alone")
    if swept.error is not None:
        say(f"the old row versions are in the tables until the next vacuum: {swept.error}")


def bodies_at(positions: Sequence[int]) -> str:
    """The number of bodies and their positions, for a message: `2 bodies (positions 3, 8)`."""
    number = f"{len(positions)} bodies" if len(positions) != 1 else "1 body"
    return f"{number} (positions {_joined(positions)})" if positions else number


def _joined(positions: Sequence[int]) -> str:
    return ", ".join(map(str, positions)) or "none"
