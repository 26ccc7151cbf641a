"""Looks again and again, until the process is stopped; says one line per look, and goes on after every failure."""

import logging
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import NoReturn

import click

from ingest.cli.terminal import say, utc
from ingest.failures import Failure, WrongUsage
from ingest.sqlstate import DRIVER_ERRORS, unusable
from projections.truth.conclusion import NothingConcluded

logger = logging.getLogger(__name__)

_MOST_JITTER = 0.05  # of the time between two looks, so that many installations do not ask at once
_EXPECTED = (WrongUsage, Failure, *DRIVER_ERRORS)


def look_again(every: timedelta, look: Callable[[], str]) -> NoReturn:
    """Look, say what `look` gives, and wait; SIGTERM or SIGINT ends the process with exit code 0.

    Raises `WrongUsage` of the first look, such as of a setting that cannot be used: no later one would be better.
    A signal ends a look wherever it is: what it wrote is whole, and the next one goes on.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    is_first = True
    while True:
        began = time.monotonic()
        told = _told(look, is_first=is_first)
        is_first = False
        wait = max(0.0, every.total_seconds() * (1 + random.uniform(0, _MOST_JITTER)) - (time.monotonic() - began))  # noqa: S311 - no secret
        next_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=round(wait))
        with suppress(OSError):
            if told is not None:
                click.echo(told)
                sys.stdout.flush()
        _say(f"the next look is at {utc(next_at)}")
        time.sleep(wait)


def _told(look: Callable[[], str], *, is_first: bool) -> str | None:
    """What a look gives; None if it failed, which is said."""
    try:
        return look()
    except _EXPECTED as error:
        if is_first and isinstance(error, WrongUsage) and not isinstance(error, NothingConcluded):
            raise
        line = str(unusable(error)) if isinstance(error, DRIVER_ERRORS) else str(error)
        _say(f"this look failed: {line}")
    except Exception:
        logger.exception("a look ended by a fault in rosterlog")
    return None


def _say(line: str) -> None:
    """Say it if anybody reads: the reader may be away, or the disk full, and the looks are what counts."""
    with suppress(OSError):
        say(line)


def _end(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(0)
