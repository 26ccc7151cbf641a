"""Keeps a worker running as a child process of `up`, and tells whether it folds."""

import sys
import time
from collections.abc import Callable, Mapping

import click
import msgspec
from pydantic_core import to_json

from ingest.child_process import ChildProcess, Patience, Program
from ingest.metrics import EVENTS_FOLDED, readings_of
from ingest.source_labels import SourceLabels
from ingest.totals import Totals
from projections.folding.pulse import Pulse

EventsByProjection = Mapping[tuple[str, str], int]  # events, by source and projection

READY, AWAY = "ready", "away"  # what a worker prints after a look at the log: it has read it, or cannot
BEAT_SECONDS = 1.0  # between two such lines of a worker that is a child of `up`
_COMMAND = (sys.executable, "-m", "projections", "worker", "--stop-at-eof")
_WORKER = 1  # in the totals: one worker runs at a time


def beats(every: float, folded: EventsByProjection | None = None) -> Callable[[bool], None]:
    """What prints `READY` or `AWAY` when it is called: each change, and otherwise every so many seconds at most.

    `folded`: what the worker has folded so far, printed behind it as JSON, of a bounded number of sources by name.
    """
    printed, due = "", 0.0
    labels = SourceLabels()

    def beat(is_read: bool) -> None:  # noqa: FBT001 - the worker's own signature
        nonlocal printed, due
        state = READY if is_read else AWAY
        if state != printed or time.monotonic() >= due:
            printed, due = state, time.monotonic() + every
            counted = None if folded is None else labels.sums([*folded.items()])  # threads count on
            numbers = None if counted is None else [[*key, number] for key, number in counted.items()]
            click.echo(state if numbers is None else f"{state} {to_json(numbers).decode()}")

    return beat


_read_folded = msgspec.json.Decoder(list[tuple[str, str, int]]).decode


class WorkerProcess:
    """Runs one worker, starts it again after each failure, and replaces it when it does not move."""

    def __init__(
        self,
        environ: Mapping[str, str],
        say: Callable[[str], None],
        command: tuple[str, ...] = _COMMAND,
        patience: Patience = Patience(),  # noqa: B008 - frozen
    ) -> None:
        self._pulse = Pulse()
        self._folded = Totals()
        self._labels = SourceLabels()  # of all workers that ran here: each names other sources first
        self.hindrance = self._pulse.hindrance
        self.readings = self._folded.readings  # the metrics of all workers that ran here
        program = Program(command, environ)
        self._child = ChildProcess("the worker", program, say, self._hear, self._gone, patience)
        self.keep_running = self._child.keep_running

    def _hear(self, line: bytes) -> None:
        """Take what a worker's `beats` printed. Raises `ValueError` if it is none of that."""
        state, _, folded = line.decode().strip().partition(" ")
        numbers = self._labels.sums(((source, name), n) for source, name, n in _read_folded(folded or "[]"))
        self._pulse.beat(state == READY)
        self._folded.note(_WORKER, readings_of(EVENTS_FOLDED, numbers))

    def _gone(self) -> None:
        self._pulse.stop()
        self._folded.end(_WORKER)
