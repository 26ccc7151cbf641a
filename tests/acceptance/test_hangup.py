"""SIGHUP ends a program that has a terminal, in order, and no other."""

import os
import pty
import signal
import subprocess
from contextlib import closing

from tests import DEADLINE
from tests.fold_all import query
from tests.program import COMMAND, environ, running, until


def test_a_worker_without_a_terminal_goes_on(database: str) -> None:
    with running("worker", env=environ(DATABASE_URL=database)) as worker:
        until(lambda: _seen(database))
        worker.process.send_signal(signal.SIGHUP)
        before = _seen(database)
        until(lambda: _seen(database) != before)
        assert worker.process.poll() is None


def test_a_worker_at_a_terminal_ends_with_it_in_order(database: str) -> None:
    terminal, of_program = pty.openpty()
    with closing(os.fdopen(terminal, "rb", buffering=0)):
        worker = subprocess.Popen(
            ["setsid", "--ctty", *COMMAND, "worker"], env=environ(DATABASE_URL=database), stdin=of_program,
            stdout=of_program, stderr=of_program,
        )  # fmt: skip
        os.close(of_program)
        until(lambda: _seen(database))
    assert worker.wait(DEADLINE) == 0  # the terminal is gone


def _seen(database: str) -> list[object]:
    return [*query(database, "select seen_at from worker_seen")]
