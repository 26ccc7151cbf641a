"""kill -9 at random moments under load: what was answered 200 is in the log once, the roster equals the model's."""

import os
import random
import signal
import threading
from functools import partial

import psycopg
import pytest

from tests import model
from tests.program import Running, environ, free_port, status_of, until
from tests.sender import senders

pytestmark = pytest.mark.acceptance

KILLS = 5
SENDERS = 6


@pytest.mark.slow
def test_promises_2_and_8_nothing_answered_is_lost_and_nothing_doubled(database: str) -> None:
    port = free_port()
    env = environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode(), ROSTERLOG_BATCH_SIZE="7")
    wait = random.Random(7)

    def start(command: str) -> Running:
        extra = ("--port", str(port)) if command == "ingest" else ()
        return Running((command, *extra), env)

    programs = {"ingest": start("ingest"), "worker": start("worker")}
    with senders(port, SENDERS) as answered:
        for turn in range(KILLS):
            until(lambda: status_of(port, "/healthz") == 200)
            programs["worker"].line("ready")
            until(partial(_has_grown, answered, len(answered) + 20))
            threading.Event().wait(wait.random() / 2)
            for name in ("ingest", "worker") if turn % 2 else ("worker", "ingest"):
                os.kill(programs[name].process.pid, signal.SIGKILL)
                programs[name].stop()
                programs[name] = start(name)
        until(lambda: status_of(port, "/healthz") == 200)

    bodies = model.stored_bodies(database)
    until(lambda: _checkpoint(database) == len(bodies))
    assert [programs[name].stop(signal.SIGTERM) for name in programs] == [0, 0]
    assert len(bodies) == len(set(bodies))
    for content, position in answered.items():
        assert bodies[position - 1] == content
    assert model.stored_roster(database) == model.roster(bodies)


def _has_grown(answered: dict[bytes, int], beyond: int) -> bool:
    return len(answered) > beyond


def _checkpoint(database: str) -> int:
    with psycopg.connect(database) as connection:
        row = connection.execute("select min(position) from checkpoint").fetchone()
        return (row and row[0]) or 0
