"""Moves the participants projection along the log. `run_once` is one transaction; `run` loops until told to stop."""

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Connection, Engine

from ingest.log.read import HoleInLog, heads, read_after
from projections import checkpoint, passed
from projections.participants import rows

log = logging.getLogger(__name__)


def run_once(engine: Engine, source: str, limit: int) -> int:
    """Fold one batch of a source: take its checkpoint, read past it, fold, save, move the checkpoint, commit.

    Gives the number of events folded: none at the head, or while another worker advances this source. Killed anywhere
    in between, nothing happened.
    """
    with engine.begin() as connection:
        position = checkpoint.take(connection, rows.NAME, source)
        if position is None:
            return 0
        events = read_after(connection, source, position, limit)
        if events:
            passed.count(connection, rows.NAME, source, rows.apply(connection, source, events))
            checkpoint.move(connection, rows.NAME, source, events[-1].position)
        return len(events)


def behind(connection: Connection) -> list[str]:
    """The sources whose log goes on past their checkpoint."""
    done = checkpoint.positions(connection, rows.NAME)
    return [source for source, head in heads(connection).items() if head > done.get(source, 0)]


def run(engine: Engine, limit: int, poll_seconds: float, stop: threading.Event, ready: Callable[[], None]) -> None:
    """Fold whatever arrives until `stop` is set; the batch in hand is finished. Polling is what guarantees progress."""
    idle = 0
    while not stop.is_set():
        with engine.connect() as connection:
            sources = behind(connection)
        if idle == 0:
            ready()
        folded = _fold_each(engine, sources, limit)
        if any(folded.values()):
            log.debug("folded", extra={"fields": folded})
            idle = 1
        else:
            # Quiet for a while: look less often, but never less than every half second or so.
            idle += 1
            stop.wait(min(poll_seconds * (1 + idle // 50), max(poll_seconds, 0.5)))


def _fold_each(engine: Engine, sources: list[str], limit: int) -> dict[str, int]:
    """One batch of each source. A damaged log stops the worker, but only after everybody else had their turn."""
    folded: dict[str, int] = {}
    damage: HoleInLog | None = None
    for source in sources:
        try:
            folded[source] = run_once(engine, source, limit)
        except HoleInLog as error:
            damage = error
    if damage is not None:
        raise damage
    return folded
