"""How far a long command has come, on standard error: a bar with its rate on a terminal, one line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def progress(label: str, length: int | None, things: str = "events") -> Iterator[Callable[[int], None]]:
    """A bar of `length` things; call the function it gives with the number done since its last call.

    `length`: None if nobody knows how many there are, so that no time can be told that is left.
    """
    started = time.monotonic()
    done = 0

    def rate(_item: object) -> str:
        return f"{done / max(time.monotonic() - started, 0.001):,.0f} {things}/s"

    things_to_come = iter(int, 1) if length is None else None
    with click.progressbar(
        things_to_come, length, label=label, file=sys.stderr, item_show_func=rate, show_pos=True
    ) as bar:

        def advance(number: int) -> None:
            nonlocal done
            done += number
            bar.update(number, current_item=done)

        yield advance
