"""Runs the faults in a seeded order until the time is over, judges, and prints the table: `python -m tests.faults`."""

import argparse
import os
import platform
import random
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click
import psutil

from tests import model
from tests.faults.faults import Fault, possible
from tests.faults.judge import Verdict, judge
from tests.faults.load import Load
from tests.faults.site import Site, folder
from tests.program import until


@dataclass(slots=True)
class Row:
    """One fault's results: deliveries in flight when it began, seconds until all was accepted, and folded, again."""

    in_flight: list[int] = field(default_factory=list)
    accept: list[float] = field(default_factory=list)
    fold: list[float] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="begin no fault after so many seconds")
    parser.add_argument(
        "--seed", type=int, default=datetime.now(UTC).date().toordinal(), help="default: one for each day"
    )
    parser.add_argument("--only", default="", help="faults whose name contains this")
    options = parser.parse_args()
    rows: dict[str, Row] = defaultdict(Row)
    with folder() as data:
        with Site(data).running() as site:
            urls = [f"http://127.0.0.1:{port}/webhooks/movemint" for port in (site.port, site.port_behind)]
            load = Load(urls, model.SECRET, options.seed)
            chosen = [fault for fault in possible(data) if options.only in fault.name]
            with load.running():
                site.probe(load.accept)
                _fail(site, load, chosen, rows, options)
            until(lambda: load.in_flight == 0)
            site.probe(load.accept)
            verdict = judge(site, load)
        left = _processes_of(data)
    _print(rows, verdict, load, left, options.seed)
    sys.exit(0 if verdict.is_good and not left else 1)


def _fail(site: Site, load: Load, chosen: list[Fault], rows: dict[str, Row], options: argparse.Namespace) -> None:
    """Make one fault after the other happen, each first once, in a seeded order."""
    order = random.Random(options.seed)
    until_ = time.monotonic() + options.seconds
    turn: list[Fault] = []
    while time.monotonic() < until_:
        if not turn:
            turn = order.sample(chosen, len(chosen))
        fault = turn.pop()
        row, begun = rows[fault.name], time.monotonic()
        row.in_flight.append(load.in_flight)
        with fault.during(site):
            time.sleep(fault.seconds)
        accept, fold = site.probe(load.accept)
        row.accept.append(accept)
        row.fold.append(fold)
        row.spans.append((begun, time.monotonic()))
        click.echo(f"{fault.name}: accepted again after {accept:.1f} s, folded after {fold:.1f} s", err=True)


def _processes_of(data: Path) -> list[str]:
    """The command lines of what still works on the data folder."""
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline"])
        if str(data) in " ".join(process.info["cmdline"] or ())
    ]


def _print(rows: dict[str, Row], verdict: Verdict, load: Load, left: list[str], seed: int) -> None:
    click.echo("| fault | times | in flight | lost | doubled | seconds to accept | seconds to fold |")
    click.echo("|---|---|---|---|---|---|---|")
    for name, row in sorted(rows.items()):
        lost = _within(verdict.lost, load, row)
        doubled = _within(verdict.doubled, load, row)
        accept, fold = (f"{min(values):.1f}-{max(values):.1f}" for values in (row.accept, row.fold))
        click.echo(f"| {name} | {len(row.accept)} | {max(row.in_flight)} | {lost} | {doubled} | {accept} | {fold} |")
    click.echo(f"\nseed {seed}")
    times = sum(len(row.accept) for row in rows.values())
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    click.echo(
        f"\n{times} faults, {len(load.accepted)} deliveries accepted, {load.refused} attempts refused or unanswered. "
        f"Lost {len(verdict.lost)}, doubled {len(verdict.doubled)}, in the log and never sent {verdict.foreign}, "
        f"damaged and accepted {verdict.damaged_accepted}, differences between roster and model "
        f"{verdict.wrong_on_roster}. {machine}."
    )
    for problem in (verdict.proof, verdict.status, *left):
        if problem:
            click.echo(f"PROBLEM: {problem}")


def _within(bodies: frozenset[bytes], load: Load, row: Row) -> int:
    """How many of these deliveries were accepted while the fault was tried."""
    return sum(any(begun <= load.accepted[body] <= end for begun, end in row.spans) for body in bodies)


if __name__ == "__main__":
    main()
