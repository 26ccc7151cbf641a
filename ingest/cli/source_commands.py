"""`rosterlog source`: which sources there are, one more in the operator's file, and whether the file can be used."""

import fcntl
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_engine
from ingest.cli.terminal import printable, say, secret_line
from ingest.database import OPERATOR_ROLE
from ingest.failures import Failure, WrongUsage
from ingest.log.read import heads
from ingest.log.whereabouts import OtherPlace, all_elsewhere
from ingest.settings import Settings, SettingsError
from ingest.sources import SourcesRead, added_secret, is_source_name

_LEAST_BYTES = 16  # of a secret that nobody finds by trying


@click.group()
def source() -> None:
    """The sources: each has secrets of its own, an address for its webhook, and a log."""


@source.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@settings_of
def list_sources(settings: Settings, *, as_json: bool) -> None:
    """List sources: the name, how many secrets, where they are kept, how many events, the address of the webhook."""
    with migrated_engine(settings, OPERATOR_ROLE) as engine, engine.connect() as connection:
        logged, elsewhere = heads(connection), all_elsewhere(connection)
    secrets_of = settings.sources
    found = [
        _described(settings, name, len(secrets_of.get(name, ())), logged.get(name, 0), elsewhere.get(name))
        for name in sorted({*secrets_of, *logged, *elsewhere})
    ]
    if as_json:
        click.echo(json.dumps({"sources": found}, indent=2))
        return
    for each in found:
        kept = f"{each['secrets']} in {each['kept_in']}" if each["secrets"] else "no secret"
        click.echo(f"{each['source']}  {kept}  {each['events']} events  {each['webhook']}")
        if where := elsewhere.get(str(each["source"])):
            click.echo(f"  {where}")
    if not found:
        say("there is no source yet: set MOVEMINT_WEBHOOK_SECRET, or ROSTERLOG_SOURCES_FILE for rosterlog source add")


@source.command("add")
@click.argument("name")
@click.option("--secret-file", type=click.File("rb"), help="Read the secret from this file. Default: it is asked for.")
@click.option("--rotate", is_flag=True, help="Of a source that is there: its newest secret, before the others.")
@settings_of
def add_source(settings: Settings, name: str, secret_file: BinaryIO | None, *, rotate: bool) -> None:
    """Add a source, or with --rotate another secret of one, to ROSTERLOG_SOURCES_FILE.

    A running server takes it within some seconds. The secret is read from --secret-file, from what is piped in, or from
    the terminal, where it is not shown.
    """
    path = _sources_file(settings)
    if not is_source_name(name):
        raise WrongUsage("a source is named by up to 63 lower-case letters, digits, - and _")
    secret = secret_line(secret_file, f"the secret of {name}")
    with _alone(path):
        # An empty folder, or a file that is not there yet, gets its first source.
        is_there = name in settings.own_sources or (path.exists() and name in _read(settings, path).secrets)
        if is_there and not rotate:
            raise WrongUsage(f"there is a source {name}: add --rotate to give it another secret, its newest")
        if rotate and not is_there:
            raise WrongUsage(f"there is no source {name} that could get another secret: leave out --rotate")
        if name in settings.own_sources:
            raise WrongUsage(f"the secrets of {name} are in the environment, not in {path}: change them there")
        number = added_secret(path, name, secret)
    say(
        f"{name} has {number} secret{'s, the newest first' if number > 1 else ''}; a running server takes it in seconds"
    )
    click.echo(_webhook(settings, name))


@source.command("check")
@settings_of
def check_sources(settings: Settings) -> None:
    """Check ROSTERLOG_SOURCES_FILE as a server reads it: exit code 1 if something in it needs a person."""
    path = _sources_file(settings)
    try:
        found = settings.read_sources_file()
    except SettingsError as error:
        raise Failure(str(error)) from None
    problems = list(_problems(found))
    for problem in problems:
        click.echo(problem)
    number = len(found.secrets)
    click.echo(f"{path}: {number} source{'' if number == 1 else 's'}, {len(problems)} problems")
    sys.exit(1 if problems else 0)


def _problems(found: SourcesRead) -> Iterator[str]:
    for name, fault in found.faults.items():
        yield f"{printable(name)}: {fault}"
    for name in found.readable_by_all:
        yield f"{printable(name)}: every account of this machine may read it: chmod o-r"
    of_secret = Counter(secret for secrets in found.secrets.values() for secret in {*secrets})
    for name, secrets in sorted(found.secrets.items()):
        if any(of_secret[secret] > 1 for secret in secrets):
            yield f"{name}: another source has the same secret, so either would take the other's deliveries"
        if any(len(secret) < _LEAST_BYTES for secret in secrets):
            yield f"{name}: a secret has fewer than {_LEAST_BYTES} bytes: is it whole?"


def _described(
    settings: Settings, name: str, secrets: int, events: int, elsewhere: OtherPlace | None
) -> dict[str, str | int | None]:
    kept_in = "the environment" if name in settings.own_sources else str(settings.sources_file)
    return {
        "source": name, "secrets": secrets, "kept_in": kept_in if secrets else "", "events": events,
        "webhook": _webhook(settings, name), "state": None if elsewhere is None else elsewhere.state,
        "other_place": None if elsewhere is None else elsewhere.place,
    }  # fmt: skip


def _webhook(settings: Settings, name: str) -> str:
    return f"{settings.public_url or ''}/webhooks/{name}"


def _sources_file(settings: Settings) -> Path:
    if settings.sources_file is None:
        raise WrongUsage("set ROSTERLOG_SOURCES_FILE to the file or folder where the secrets of the sources are kept")
    return settings.sources_file


def _read(settings: Settings, path: Path) -> SourcesRead:
    if path.is_dir() and not any(path.iterdir()):
        return SourcesRead({})
    return settings.read_sources_file()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Only one of these commands changes the file at a time. Raises `WrongUsage` where its folder is not there."""
    folder = path if path.is_dir() else path.parent
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise WrongUsage(f"{folder} cannot be opened: {error.strerror}: make the folder first") from None
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)
