"""What commands say and ask at a terminal, and how they print text from deliveries, and times."""

import os
from datetime import UTC, datetime

import click

from ingest.cli.invocation import runnable
from ingest.failures import WrongUsage


def say(line: str) -> None:
    """Tell the person at the terminal something that is not the command's result. Commands in it run as printed."""
    click.echo(f"rosterlog: {runnable(line)}", err=True)


def say_if_root() -> None:
    """Tell a person who starts a server as root that nothing here needs that."""
    if os.geteuid() == 0:
        say("running as root, which nothing here needs: an account of its own keeps an error from harming the machine")


def ask(question: str, unanswered: str) -> bool:
    """Ask on standard error. Raises `WrongUsage` with the message `unanswered` if there is no answer to read."""
    try:
        return click.confirm(question, err=True)
    except (click.Abort, RuntimeError) as error:  # Ctrl-C, or no standard input to read from
        if isinstance(error.__context__, KeyboardInterrupt):
            raise
        raise WrongUsage(unanswered) from None


def printable(value: str | None) -> str:
    """Text from a delivery for a terminal: what is not printable is escaped, so it cannot move the cursor."""
    if value is None:
        return "-"
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in value)


def unicode(value: str, name: str) -> str:
    """The value, if it is text that can be sent to a database: an argument can be any bytes. Raises `WrongUsage`."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise WrongUsage(f"{name} is not UTF-8") from None
    return value


def utc(moment: datetime) -> str:
    """A time as commands print it: ISO 8601 in UTC, whatever the zone of this machine or of the session."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
