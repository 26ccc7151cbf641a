"""Delivers as Movemint does: each delivery again and again, until it is answered 200."""

import http.client
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests import DEADLINE, model
from tests.program import deliver

_AGAIN_SECONDS = 0.05  # until the next try


def _nothing(_status: int) -> None: ...


@contextmanager
def senders(
    port: int, number: int, heard: Callable[[int], None] = _nothing, sources: Sequence[str] = ("movemint",)
) -> Iterator[dict[bytes, int]]:
    """So many senders at once for the block; gives what was answered 200 so far, with the positions.

    `heard`: is told the status of each answer; 0 if there was none. `sources`: to any of which they deliver, by chance;
    what is added to them is delivered to as well. Each participant's team is the source.
    """
    answered: dict[bytes, int] = {}
    enough = threading.Event()
    with ThreadPoolExecutor(number) as pool:
        sending = [pool.submit(_send, port, sender, answered, enough, heard, sources) for sender in range(number)]
        try:
            yield answered
        finally:
            enough.set()
        for future in sending:
            future.result(timeout=DEADLINE)


def _send(
    port: int,
    sender: int,
    answered: dict[bytes, int],
    enough: threading.Event,
    heard: Callable[[int], None],
    sources: Sequence[str],
) -> None:
    number = 0
    draw = random.Random(sender)  # the same in each run
    while not enough.is_set():
        number += 1
        name = f"{sender}-{number}"
        source = draw.choice(sources)
        content = model.body(
            f"{sender}-{number % 20}", first_name=name, team=source, updated_at=f"2026-05-01T10:{number % 60:02d}:00Z"
        )
        while not enough.is_set():
            try:
                status, answer = deliver(port, content, source=source)
            except (OSError, http.client.HTTPException):  # no answer, or half of one
                heard(0)
                enough.wait(_AGAIN_SECONDS)
                continue
            heard(status)
            if status == 200:
                assert answered.setdefault(content, answer["position"]) == answer["position"]
                break
            enough.wait(_AGAIN_SECONDS)
