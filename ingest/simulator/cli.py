"""`rosterlog simulate`: its options, and the counts of what was answered."""

import asyncio
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

import click

from ingest.simulator.deliver import Answered, Target, deliver
from ingest.simulator.drifting import DRIFT_NAMES, Drifts, drifted
from ingest.simulator.export import EXPORT_FORMS, ExportForm, export_bytes
from ingest.simulator.list_options import ListOptions, list_options, print_drifts, serve_drifted
from ingest.simulator.plan import Amount, Planned, Wishes, plan

SIMULATED = tuple(name for name in DRIFT_NAMES if name != "erased")  # nobody is erased over HTTP
_MOST_BYTES = 65_536  # of a file with a secret
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # in no secret, and in most files that are no text


class WithSources(Protocol):
    """What is needed of the settings, which know more than a fake Movemint may."""

    @property
    def sources(self) -> Mapping[str, Sequence[bytes]]: ...


class AmountType(click.ParamType[Amount]):
    """A number of deliveries such as 20, or a share of them such as 0.1 or 10%."""

    name = "amount"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Amount:
        if isinstance(value, Amount):
            return value
        match = re.fullmatch(r"(\d+)|(\d*\.\d+|\d+\.)|(\d+(?:\.\d+)?)%", str(value))
        if match is None:
            self.fail("is neither a number of deliveries such as 20 nor a share such as 0.1 or 10%", param, ctx)
        number, share, percent = match.groups()
        if number is not None:
            return Amount(int(number))
        amount = float(share) if share is not None else float(percent) / 100
        if amount > 1:
            self.fail("is more than all deliveries", param, ctx)
        return Amount(amount, is_share=True)


class DriftType(click.ParamType[tuple[str, int]]):
    """A way of drifting and how many do, such as stale=3."""

    name = "drift"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        name, _, number = str(value).partition("=")
        if name not in SIMULATED or not (number.isascii() and number.isdigit()):
            self.fail(f"{value!r} is no NAME=NUMBER, of {', '.join(SIMULATED)}", param, ctx)
        return name, int(number)


def amount_option(name: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """An option that takes an amount; 5% if it is given without a value."""
    return click.option(name, type=AmountType(), default="0", is_flag=False, flag_value="5%", help=text)


@click.command()
@click.option("--url", required=True, help="The webhook, such as http://127.0.0.1:8000/webhooks/movemint.")
@click.option(
    "--secret-file", type=click.File("rb"), help="A file with the subscription's secret, the newest first; - reads."
)
@click.option("--secret", help="The secret itself, which every user of the machine sees in the list of processes.")
@click.option("--count", default=200, show_default=True, type=click.IntRange(0), help="Different deliveries.")
@click.option("--participants", type=click.IntRange(1), help="People they are about. Default: one for each delivery.")
@click.option(
    "--rate", default=0.0, type=click.FloatRange(0), help="Deliveries a second. Default: as fast as answered."
)
@amount_option("--duplicates", "Deliver so many again: 20, or 0.1 of them.")
@amount_option("--reorder", "Deliver so many late.")
@amount_option("--corrupt", "Damage so many copies after signing.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same people in the same order.")
@click.option("--concurrency", default=16, show_default=True, type=click.IntRange(1, 256), help="Deliveries at a time.")
@click.option("--export", "export_to", type=click.Path(), help="Write an organiser's export of these people to a file.")
@click.option(
    "--drift", "drifts", multiple=True, metavar="NAME=NUMBER", type=DriftType(),
    help=f"So many drift: {', '.join(SIMULATED)}.",
)  # fmt: skip
@click.option(
    "--export-form", default="csv", show_default=True, type=click.Choice([*EXPORT_FORMS]), help="Of the export."
)
@list_options
@click.pass_obj
def simulate(
    settings: WithSources,
    url: str,
    secret_file: BinaryIO | None,
    secret: str | None,
    count: int,
    participants: int | None,
    rate: float,
    duplicates: Amount,
    reorder: Amount,
    corrupt: Amount,
    seed: int,
    concurrency: int,
    export_to: str | None,
    drifts: tuple[tuple[str, int], ...],
    export_form: str,
    of_list: ListOptions,
) -> None:
    """Act as Movemint: sign registrations and deliver them over HTTP, again after every failure.

    The secret that signs them is the one of --secret-file; without it, the newest of the source in the URL, as
    MOVEMINT_WEBHOOK_SECRET or ROSTERLOG_SOURCES have it. The people are made up, and so are the names of their fields:
    Movemint does not publish its participant. With --export or --list each is delivered once; who drifts is printed.
    """
    _check(url)
    key = _key(settings, url, secret_file, secret)
    target = Target(url, key, concurrency, rate)
    if of_list.list_port is not None:
        outcome = run_listed(of_list, seed, count, Drifts(**dict(drifts)), target)
    elif export_to is not None:
        outcome = run_drifting(Path(export_to), seed, count, Drifts(**dict(drifts)), EXPORT_FORMS[export_form], target)
    elif drifts:
        raise click.UsageError("--drift goes with --export FILE or --list PORT")
    else:
        outcome = run_simulation(plan(Wishes(count, participants, duplicates, reorder, corrupt, seed)), target)
    _tell(outcome)


def _tell(outcome: Answered) -> None:
    for line in outcome.lines():
        click.echo(line)
    if not outcome.is_good:
        click.echo("rosterlog: is the URL right, does the server run, and is the secret the same?", err=True)
        sys.exit(1)


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 80) > 0
    except ValueError:
        good = False
    if not good:
        raise click.BadParameter("must be an http or https address", param_hint="--url")


def _key(settings: WithSources, url: str, file: BinaryIO | None, secret: str | None) -> bytes:
    """The secret that signs. One on the command line is used, and said to be seen."""
    if file is not None and secret is not None:
        raise click.UsageError("give --secret-file or --secret, not both")
    if secret is not None:
        warning = "every user of this machine sees --secret in the list of processes: --secret-file FILE is not seen"
        click.echo(f"rosterlog: {warning}", err=True)
        return os.fsencode(secret)
    if file is not None:
        return _key_in(file)
    source = urlsplit(url).path.rpartition("/")[2]
    secrets = settings.sources.get(source)
    if not secrets:
        hint = "give --secret-file FILE, or set MOVEMINT_WEBHOOK_SECRET as the server has it"
        raise click.UsageError(f"no secret of {source!r} is set: {hint}")
    return secrets[0]


def _key_in(file: BinaryIO) -> bytes:
    """The secret of a file that is written as MOVEMINT_WEBHOOK_SECRET is: with commas between, the newest first."""
    content = os.fsdecode(file.read(_MOST_BYTES + 1)).strip()
    secrets = [part.strip() for part in content.split(",") if part.strip()]
    if len(content) > _MOST_BYTES or _CONTROL.search(content):
        raise click.BadParameter("is not one line of text: is it the file with the secret?", param_hint="--secret-file")
    if not secrets:
        raise click.BadParameter("is empty", param_hint="--secret-file")
    if "..." in secrets:
        raise click.BadParameter("has the dots of the example: put the secret there", param_hint="--secret-file")
    return os.fsencode(secrets[0])


def run_drifting(path: Path, seed: int, people: int, drifts: Drifts, form: ExportForm, target: Target) -> Answered:
    """Deliver, write the export, and deliver what came after it; print whom each drift is about."""
    planned = drifted(seed, people, drifts, form.encoding.removesuffix("-sig"))
    outcome = run_simulation([*map(Planned, planned.before)], target)
    path.write_bytes(export_bytes(planned.rows, form))
    os.utime(path, ns=(time.time_ns(), time.time_ns()))  # its own time may be of some milliseconds ago
    if planned.since:
        outcome.add(run_simulation([*map(Planned, planned.since)], target))
    click.echo(f"listed    {len(planned.rows)} in {click.format_filename(path)}")
    print_drifts(planned.about)
    return outcome


def run_listed(options: ListOptions, seed: int, people: int, drifts: Drifts, target: Target) -> Answered:
    """Deliver, and serve the list; what comes after it is delivered while its first page is asked for."""
    planned = drifted(seed, people, drifts)
    outcome = run_simulation([*map(Planned, planned.before)], target)

    def since() -> None:
        if planned.since:
            outcome.add(run_simulation([*map(Planned, planned.since)], target))

    serve_drifted(options, planned, since)
    return outcome


def run_simulation(planned: Sequence[Planned], target: Target) -> Answered:
    """Deliver a plan, with a progress bar on standard error."""
    said: set[int | None] = set()

    def hear(one: Planned, status: int | None) -> None:
        """Say each kind of failure once: retries take minutes, in which a bar that stands still says nothing."""
        is_failure = status is None or not 200 <= status < 300
        if is_failure and not one.damaged and status not in said:
            said.add(status)
            answer = "no answer" if status is None else f"answer {status}"
            click.echo(f"\nrosterlog: {answer} from {target.url}; trying again, as Movemint would", err=True)

    with click.progressbar(length=len(planned), label="delivering", file=sys.stderr) as bar:
        return asyncio.run(deliver(planned, target, lambda: bar.update(1), hear))
