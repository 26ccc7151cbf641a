"""Runs a server as several processes on one address: starts them, replaces what dies or hangs, adds up what they count.

Each process has a listening socket of its own at the address, so that the kernel spreads connections evenly over them.
All these sockets are opened here and stay open: who connects to a process that has died is answered by its successor.
"""

import asyncio
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from ingest.child_process import ChildProcess, EndsAgainAndAgain, Patience, Program
from ingest.hangup import on_hangup
from ingest.metrics import Reading
from ingest.totals import Totals
from ingest.web.messages import Assignment, line_of, read_beat, said, understood
from ingest.web.process_readings import process_readings
from ingest.web.serve import BACKLOG, DRAIN_SECONDS

logger = logging.getLogger(__name__)

_STUCK_SECONDS = 8.0  # without a beat, of which there is one a second
_STEADY_SECONDS = 30.0
_EARLY_ENDS = 4
_CLOSING_SECONDS = 8.0  # for what a server does after its last answer


@dataclass(frozen=True, slots=True)
class Plan:
    """How many processes are to run `command`, which says that it is supervised, and what they are given."""

    processes: int
    command: Sequence[str]
    environ: Mapping[str, str]
    conninfo: str
    answer_seconds: float


def stop_seconds(answer_seconds: float) -> float:
    """What the stop of a server process may take, after which it is killed."""
    return DRAIN_SECONDS + answer_seconds + _CLOSING_SECONDS


async def supervise(
    plan: Plan, bound: socket.socket, observed: socket.socket | None, started: Callable[[], None]
) -> None:
    """Keep the processes running until SIGINT or SIGTERM, then let each finish its answers.

    `started` is called once all of them accept connections. Raises `EndsAgainAndAgain`.
    """
    listeners = [bound, *_listeners_beside(bound, plan.processes - 1)]
    team = _Team(plan, listeners, observed)
    try:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(child.keep_running()) for child in team.children]
            with _told_to_stop() as stop, on_hangup(partial(_pass_on, team.children)):
                announcing = group.create_task(_announce(team.children, started))
                try:
                    await stop.wait()
                finally:
                    for each in (*listeners, *([] if observed is None else [observed])):
                        each.close()  # from now on nobody connects, not even to wait
                for task in (announcing, *running):
                    task.cancel()
    except ExceptionGroup as errors:
        if (ended := errors.subgroup(EndsAgainAndAgain)) is None:
            raise
        raise ended.exceptions[0] from None


def _listeners_beside(bound: socket.socket, number: int) -> list[socket.socket]:
    """Sockets that listen at the address of this one, which from now on shares it: but with sockets of ours alone."""
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    beside = [socket.socket(bound.family, bound.type, bound.proto) for _ in range(number)]
    for each in beside:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        each.bind(bound.getsockname())
        each.listen(BACKLOG)
    return beside


@contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set. The loop's own handlers would leave the default ones behind, by which a
    second signal ends a program in the middle of its stop.
    """
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(each, lambda *_: loop.call_soon_threadsafe(stop.set)) for each in signals]
    try:
        yield stop
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)


def _pass_on(children: Sequence[ChildProcess]) -> None:
    """To those that serve: one that starts has the files still to read, and may not know the signal yet."""
    for pid in [child.pid for child in children if child.pid is not None and child.has_begun.is_set()]:
        with suppress(ProcessLookupError):  # it has ended just now
            os.kill(pid, signal.SIGHUP)


async def _announce(children: Sequence[ChildProcess], started: Callable[[], None]) -> None:
    for child in children:
        await child.has_begun.wait()
    started()


class _Team:
    """The processes, and what they have counted together."""

    def __init__(self, plan: Plan, listeners: Sequence[socket.socket], observed: socket.socket | None) -> None:
        self._totals = Totals()
        self._plan = plan
        self.children = [self._child(number, each, observed) for number, each in enumerate(listeners, 1)]

    def _child(self, number: int, listener: socket.socket, observed: socket.socket | None) -> ChildProcess:
        plan = self._plan
        shared = None if observed is None else observed.fileno()
        assignment = Assignment(number, plan.processes, plan.conninfo, listener.fileno(), shared)
        descriptors = (listener.fileno(), *([] if shared is None else [shared]))
        return ChildProcess(
            f"server process {number} of {plan.processes}",
            Program(plan.command, plan.environ, line_of(assignment), descriptors),
            logger.warning,
            lambda line: self._hear(number, line),
            lambda: self._totals.end(number),
            Patience(
                stuck=_STUCK_SECONDS,
                stop=stop_seconds(plan.answer_seconds),
                steady=_STEADY_SECONDS,
                early_ends=_EARLY_ENDS,
            ),
        )

    def _hear(self, number: int, line: bytes) -> None:
        """Take a beat, and tell who asks what all processes have counted. Raises `ValueError` if it is no beat."""
        beat = read_beat(line)
        self._totals.note(number, understood(beat.readings))
        if beat.asks:
            self.children[number - 1].tell(line_of([said(reading) for reading in self._readings()]))

    def _readings(self) -> list[Reading]:
        pids = [os.getpid(), *(child.pid for child in self.children if child.pid is not None)]
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return [*self._totals.readings(), *process_readings(pids, ended.ru_utime + ended.ru_stime)]
