"""`rosterlog doctor`: examines the deployment, and prints one finding a line."""

import asyncio
from collections.abc import Iterator

import click
from pydantic_core import to_json

from ingest.cli.group import settings_of
from ingest.cli.invocation import runnable
from ingest.settings import Settings
from projections.doctor.examination import examine
from projections.doctor.finding import DoctorFinding, Level
from projections.doctor.way import addresses, examine_way


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--url", metavar="URL", help="The public address: also examine the way to it, through every proxy.")
@settings_of
def doctor(settings: Settings, *, as_json: bool, url: str | None) -> None:
    """Examine the deployment: database, rights, durability, log, roster, machine. Changes nothing.

    Prints a line per finding: ok, warn or fail, what was looked at, how it is, what to do. Exit code 1 with a fail.
    With --json: {"ok": true if nothing fails, "findings": [{"check", "level", "says", "do"}]}; "do" is empty if there
    is nothing to do.

    --url takes the address as Movemint has it, such as https://example.org/webhooks/movemint, or without the path for
    every source. Wrongly signed bodies are sent there, of which nothing is kept or counted, and the server, which has
    the same secret, says which bytes arrived.
    """
    findings = []
    for finding in _examine(settings, url):
        findings.append(finding)
        if not as_json:
            click.echo(_line(finding))
    fails = any(finding.level is Level.FAIL for finding in findings)
    if as_json:
        document = {"ok": not fails, "findings": [finding.as_json() for finding in findings]}
        click.echo(to_json(document).decode())
    raise SystemExit(1 if fails else 0)


def _examine(settings: Settings, url: str | None) -> Iterator[DoctorFinding]:
    if url is not None:
        addresses(url, settings.sources)  # a wrong one is told before anything else is done
    yield from examine(settings)
    if url is not None:
        yield from asyncio.run(examine_way(url, settings.sources, settings.max_body_bytes))


def _line(finding: DoctorFinding) -> str:
    do = f": {finding.do}" if finding.do else ""
    return f"{finding.level.value:<5} {finding.check:<20} {runnable(finding.says + do)}"
