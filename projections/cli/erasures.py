"""What `rosterlog erase` does with all erasures at once: list, export, take over, carry out again, sweep up."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import click
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from ingest.cli.progress import progress
from ingest.cli.terminal import printable, say, utc
from ingest.database import OPERATOR_ROLE, WORKER_ROLE
from ingest.failures import Problem, WrongUsage
from ingest.log import erase as erasing
from ingest.log.event import Erasure
from ingest.log.register import NotARegister, read_register, write_register
from ingest.sqlstate import unusable
from projections.folding.projection import Projection
from projections.folding.refold import OfAnotherDefinition, hold, refold


def show(engine: Engine) -> None:
    """List the erasures, each with the positions of what arrived about its participant since."""
    with engine.connect() as connection:
        found = erasing.listed(connection)
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


def export(engine: Engine, target: str) -> None:
    """Write the register to a file that only its owner can read, or to standard output.

    An earlier export is replaced, unless it knows of an erasure that this database does not.
    """
    with engine.connect() as connection:
        every = [one.erasure for one in erasing.listed(connection)]
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
    """Take over a register, carry out everything again, or both. `limit`: events refolded at a time; null: do not."""
    if register is not None:
        try:
            given = read_register(register.read())
            with engine.begin() as connection:
                new = erasing.take_over(connection, given)
        except (NotARegister, erasing.Contradiction) as error:
            raise WrongUsage(str(error)) from None
        then = "" if limit else "; erase --reapply carries them out"
        click.echo(f"erasures taken over: {len(given)}, new ones: {new}{then}")
    if limit is not None:
        _reapply(engine, projections, limit)


def _reapply(engine: Engine, projections: Sequence[Projection], limit: int) -> None:
    """One transaction a person: nobody whose erasure was lifted is missing from the roster in between."""
    with engine.connect() as connection:
        every = [one.erasure for one in erasing.listed(connection)]
    people: dict[tuple[str, str], list[Erasure]] = {}
    for one in every:
        people.setdefault((one.source, one.subject), []).append(one)
    emptied = 0
    with progress("carrying out erasures", len(every), "erasures") as advance:
        for (source, subject), theirs in people.items():
            with engine.begin() as connection, of_this_definition():
                emptied += sum(len(erasing.carry_out(connection, source, one.erasure_id)) for one in theirs)
                if any(one.lifted_at is not None for one in theirs):
                    with as_worker(connection):
                        refold(connection, hold(connection, projections, source), source, subject, limit)
            advance(len(theirs))
    click.echo(f"erasures carried out again: {len(every)}; bodies emptied: {emptied}")
    sweep(engine)


@contextmanager
def of_this_definition() -> Iterator[None]:
    """Whoever is to be folded again needs builds of this program's definition."""
    try:
        yield
    except OfAnotherDefinition as error:
        raise Problem(str(error)) from None


@contextmanager
def as_worker(connection: Connection) -> Iterator[None]:
    """Projections are the worker's to write."""
    connection.execute(text(f"set local role {WORKER_ROLE}"))
    yield
    connection.execute(text(f"set local role {OPERATOR_ROLE}"))


def sweep(engine: Engine) -> None:
    """The erasure is done whatever becomes of this."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            connection.execute(text("reset role"))
            connection.execute(text("set lock_timeout = '10s'"))
            for table in erasing.left_alone(connection):
                say(f"{table} has the columns source and participant_id but is not rosterlog's: it was left alone")
            erasing.sweep(connection)
        except DBAPIError as error:
            say(f"the old row versions are in the tables until the next vacuum: {unusable(error)}")
        connection.invalidate()  # nobody else shall have it without its role


def count(positions: Sequence[int]) -> str:
    """So many bodies, and where."""
    number = f"{len(positions)} bodies" if len(positions) != 1 else "1 body"
    return f"{number} (positions {_joined(positions)})" if positions else number


def _joined(positions: Sequence[int]) -> str:
    return ", ".join(map(str, positions)) or "none"
