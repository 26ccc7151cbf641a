"""What commands say and ask at a terminal, and how they print text from deliveries, and times."""

import getpass
import os
import sys
from datetime import UTC, datetime
from typing import BinaryIO

import click

from ingest.cli.invocation import runnable
from ingest.failures import WrongUsage
from ingest.logs import escaped

_MOST_SECRET_BYTES = 4_096


def say(line: str) -> None:
    """Tell the person at the terminal something that is not the command's result. Commands in it run as printed."""
    click.echo(f"rosterlog: {runnable(line)}", err=True)


def ask(question: str, unanswered: str) -> bool:
    """Ask on standard error. Raises `WrongUsage` with the message `unanswered` if there is no answer to read."""
    try:
        return click.confirm(question, err=True)
    except (click.Abort, RuntimeError) as error:  # Ctrl-C, or no standard input to read from
        if isinstance(error.__context__, KeyboardInterrupt):
            raise
        raise WrongUsage(unanswered) from None


def secret_line(file: BinaryIO | None, what: str) -> bytes:
    """A secret of one line, of the file, of what is piped in, or typed where it is not shown. Raises `WrongUsage`."""
    if file is not None or not sys.stdin.isatty():
        content = (file or sys.stdin.buffer).read(_MOST_SECRET_BYTES + 1).strip()
    else:
        content = os.fsencode(getpass.getpass(f"{what}: ")).strip()
    if not content or len(content) > _MOST_SECRET_BYTES or b"\n" in content:
        raise WrongUsage(f"{what} has to be one line of text; nothing was changed")
    return content


def printable(value: str | None) -> str:
    """Text from a delivery for a terminal: what is not printable is escaped, so it cannot move the cursor."""
    return "-" if value is None else escaped(value)


def width(text: str) -> int:
    """How many columns of a terminal a text takes, of which `printable` has left nothing that moves the cursor."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # its tables take as long to load as most commands need to start

    return max(wcswidth(text), 0)


def padded(text: str, columns: int, *, to_the_right: bool = False) -> str:
    """The text with blanks to fill so many columns of a terminal."""
    blanks = " " * (columns - width(text))
    return blanks + text if to_the_right else text + blanks


def unicode(value: str, name: str) -> str:
    """The value, if it is text that can be sent to a database: an argument can be any bytes. Raises `WrongUsage`."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise WrongUsage(f"{name} is not UTF-8") from None
    return value


def one_line(value: str, option: str) -> str:
    """A line of text that is kept, such as a name or a reason. Raises `WrongUsage` for anything else."""
    if not value.strip() or not unicode(value, option).isprintable():
        raise WrongUsage(f"give {option}, a line of text; nothing was changed")
    return value.strip()


def user_name() -> str:
    """The name of the user of this machine; empty if there is none, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def utc(moment: datetime) -> str:
    """A time as commands print it: ISO 8601 in UTC, whatever the zone of this machine or of the session."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
