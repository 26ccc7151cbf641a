"""`rosterlog simulate`: its options, and the counts of what was answered."""

import asyncio
import re
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import click

from ingest.simulator.deliver import Answered, Target, deliver
from ingest.simulator.plan import Amount, Wishes, plan


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


def amount_option(name: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """An option that takes an amount; 5% if it is given without a value."""
    return click.option(name, type=AmountType(), default="0", is_flag=False, flag_value="5%", help=text)


@click.command()
@click.option("--url", required=True, help="The webhook, such as http://127.0.0.1:8000/webhooks/movemint.")
@click.option("--secret", required=True, help="The subscription's secret, which signs the deliveries.")
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
def simulate(
    url: str,
    secret: str,
    count: int,
    participants: int | None,
    rate: float,
    duplicates: Amount,
    reorder: Amount,
    corrupt: Amount,
    seed: int,
    concurrency: int,
) -> None:
    """Act as Movemint: sign registrations and deliver them over HTTP, again after every failure.

    The people are made up, and so are the names of their fields: Movemint does not publish its participant.
    """
    _check(url)
    wishes = Wishes(count, participants, duplicates, reorder, corrupt, seed)
    outcome = run_simulation(wishes, Target(url, secret.encode(), concurrency, rate))
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


def run_simulation(wishes: Wishes, target: Target) -> Answered:
    """Deliver the plan of these wishes, with a progress bar on standard error."""
    planned = plan(wishes)
    with click.progressbar(length=len(planned), label="delivering", file=sys.stderr) as bar:
        return asyncio.run(deliver(planned, target, lambda: bar.update(1)))
