"""A server process below a supervisor: says each second that it moves and what it has counted, and ends with it."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterable

from starlette.applications import Starlette

from ingest.child_process import LONGEST_LINE
from ingest.metrics import Reading
from ingest.web.messages import Assignment, LineReading, ProcessBeat, line_of, read_assignment, read_readings, said
from ingest.web.metrics import Metrics
from ingest.web.serve import serve

_STANDARD_INPUT, _STANDARD_OUTPUT = 0, 1
_BEAT_SECONDS = 1.0
_ANSWER_SECONDS = 1.0  # for the supervisor to add up what all processes have counted


def receive_assignment() -> Assignment:
    """The supervisor's first line. Raises `ValueError` if standard input is not a supervisor's."""
    with open(_STANDARD_INPUT, "rb", buffering=0, closefd=False) as lines:
        return read_assignment(lines.readline())  # without a buffer, which would take later lines as well


class Link:
    """The way to the supervisor: beats go up; a beat that asks is answered with the readings of all processes."""

    def __init__(self) -> None:
        self._sent: dict[tuple[str, tuple[str, ...]], LineReading] = {}
        self._answer: asyncio.Future[list[Reading]] | None = None
        self._upwards: asyncio.WriteTransport | None = None

    async def total(self, own: list[Reading]) -> list[Reading]:
        """The readings of all processes, of which these are this one's. Raises `TimeoutError`."""
        self._answer = asyncio.get_running_loop().create_future()
        self.beat(own, asks=True)
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await self._answer

    def beat(self, own: Iterable[Reading], *, asks: bool = False) -> None:
        """Say what has changed. Nothing is said while the supervisor does not read: the next beat has it, too."""
        if self._upwards is None or self._upwards.is_closing() or self._upwards.get_write_buffer_size():
            return
        lines = {(reading.metric.name, reading.labels): said(reading) for reading in own}
        changed = [line for key, line in lines.items() if self._sent.get(key) != line]
        self._upwards.write(line_of(ProcessBeat(changed, asks)))
        self._sent.update(lines)

    async def run(self, metrics: Metrics) -> None:
        """Beat until cancelled. When the supervisor is gone, or closes the way, this process stops as by a signal."""
        loop = asyncio.get_running_loop()
        lines = asyncio.StreamReader(LONGEST_LINE)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(_STANDARD_INPUT, "rb"))
        self._upwards, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(_STANDARD_OUTPUT, "wb"))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(lines))
            while True:
                self.beat(metrics.own())
                await asyncio.sleep(_BEAT_SECONDS)

    def close(self) -> None:
        """Say nothing more. What was said is still sent."""
        if self._upwards is not None:
            self._upwards.close()

    async def _listen(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(read_readings(line))
        signal.raise_signal(signal.SIGTERM)


async def serve_supervised(assignment: Assignment, app: Starlette, link: Link) -> None:
    """Serve on the supervisor's sockets until it says so or is gone."""
    metrics: Metrics = app.state.metrics
    observed = None if assignment.observed is None else socket.socket(fileno=assignment.observed)
    async with asyncio.TaskGroup() as group:
        beating: list[asyncio.Task[None]] = []
        await serve(
            app,
            socket.socket(fileno=assignment.listener),
            lambda: beating.append(group.create_task(link.run(metrics))),
            observed,
        )
        for task in beating:
            task.cancel()
    link.beat(metrics.own())  # what the last answers counted
    link.close()
