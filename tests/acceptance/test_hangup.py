"""SIGHUP ends a program that has a terminal, in order, and no other."""

import asyncio
import os
import pty
import signal
import socket
import subprocess
from contextlib import closing
from types import SimpleNamespace
from typing import cast

from ingest.child_process import ChildProcess
from ingest.web.supervisor import _pass_on
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


def test_a_server_that_is_not_ready_yet_goes_on() -> None:
    """It waits here for a database that says nothing, and reads its files after that."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        silent.settimeout(DEADLINE)
        address = f"postgresql://one@127.0.0.1:{silent.getsockname()[1]}/none"
        env = environ(DATABASE_URL=address, MOVEMINT_WEBHOOK_SECRET="secret")
        with running("ingest", "--port", "0", env=env) as server, closing(silent.accept()[0]):
            server.process.send_signal(signal.SIGHUP)
            assert server.stop(signal.SIGTERM) == 128 + signal.SIGTERM


def test_only_children_that_serve_are_told_to_read_again() -> None:
    """One that has just ended is no error, and one that starts does not know the signal."""
    told = []
    ended = subprocess.Popen(["true"])
    ended.wait()
    before = signal.signal(signal.SIGHUP, lambda *_: told.append(1))
    try:
        _pass_on([_child(ended.pid, serves=True), _child(os.getpid(), serves=True), _child(os.getpid(), serves=False)])
    finally:
        signal.signal(signal.SIGHUP, before)
    assert told == [1]


def _child(pid: int, *, serves: bool) -> ChildProcess:
    has_begun = asyncio.Event()
    if serves:
        has_begun.set()
    return cast("ChildProcess", SimpleNamespace(pid=pid, has_begun=has_begun))


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
