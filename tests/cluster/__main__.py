"""Runs the rungs, prints their tables, ends with 1 if something went wrong: `python -m tests.cluster --rungs 2,6`."""

import argparse
import logging
import os
import platform
import signal
import sys
from collections.abc import Callable, Mapping

import click

from tests.cluster.failover import run_failovers
from tests.cluster.loss import run_loss
from tests.cluster.needed import Missing
from tests.cluster.pool import run_pool
from tests.cluster.programs import run_logins, run_sources, run_workers
from tests.cluster.table import Table

_LONGEST_SECONDS = 1500  # for one rung
# By number, in the order of their turns. Each prints its progress by what it is given, and cleans up after itself.
RUNGS: Mapping[str, tuple[Callable[[Callable[[str], None]], Table], ...]] = {
    "1": (run_logins,),
    "2": (run_pool,),
    "3": (run_workers,),
    "4": (run_sources,),
    "6": (run_failovers, run_loss),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--rungs", default=",".join(RUNGS), help="which, with commas between; default: %(default)s")
    chosen = parser.parse_args().rungs.split(",")
    if unknown := {*chosen} - RUNGS.keys():
        parser.error(f"no such rung: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGALRM, _too_long)
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # of looks at a server that stands still it warns each time
    problems = []
    for rung in chosen:
        for run in RUNGS[rung]:
            signal.alarm(_LONGEST_SECONDS)
            try:
                table = run(lambda line: click.echo(line, err=True))
            except Missing as missing:
                sys.exit(str(missing))
            finally:
                signal.alarm(0)
            click.echo(f"\n## Rung {rung}: {table.title}\n\n{table.markdown()}\n")
            problems += [f"rung {rung}: {problem}" for problem in table.problems]
    click.echo(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    for problem in problems:
        click.echo(f"PROBLEM: {problem}")
    sys.exit(1 if problems else 0)


def _too_long(_number: int, _frame: object) -> None:
    raise TimeoutError(f"a rung has not ended within {_LONGEST_SECONDS} seconds")


if __name__ == "__main__":
    main()
