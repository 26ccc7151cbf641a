"""Runs the real commands as child processes, and talks to them over HTTP as strangers do."""

import atexit
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tests import DEADLINE, model
from tests.forked import Forked, Started

COMMAND = (sys.executable, "-m", "projections")


def environ(**settings: str) -> dict[str, str]:
    """An environment with these settings and none of the machine's own."""
    names = ("ROSTERLOG_", "MOVEMINT_", "DATABASE_URL", "READ_DATABASE_URL", "PG")
    return {**{name: value for name, value in os.environ.items() if not name.startswith(names)}, **settings}


def run(*args: str, env: Mapping[str, str], code: int = 0, cwd: Path | None = None) -> str:
    """Run a command to its end; gives what it printed, standard error included. `cwd`: of another checkout."""
    if cwd is None:
        ended, printed = _forked().run(args, env, DEADLINE)
    else:
        done = subprocess.run(
            [*COMMAND, *args], env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=DEADLINE, check=False,
        )  # fmt: skip
        ended, printed = done.returncode, done.stdout
    assert ended == code, printed
    return printed


@cache
def _forked() -> Forked:
    forked = Forked()
    atexit.register(forked.close)
    return forked


def said(*args: str, env: Mapping[str, str]) -> str:
    """What a command prints, standard error included, whatever its exit code is."""
    return _forked().run(args, env, DEADLINE)[1]


def status_json(env: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    """What `rosterlog status` says, whether something needs a person or not."""
    return json.loads(said("status", "--json", env=env))


def until(condition: Callable[[], Any], seconds: float = DEADLINE) -> Any:  # noqa: ANN401 - whatever it waits for
    """Wait until a condition holds and give what it gave. Asking takes a third of a processor, or one look a second."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    is_late = False
    while not is_late:
        begun = time.monotonic()
        is_late = begun >= deadline  # then it is the last look
        result = condition()
        if result:
            return result
        pause.wait(min(1.0, max(0.02, 2 * (time.monotonic() - begun))))
    raise AssertionError(f"not within {seconds} seconds: {condition}")


class Running:
    """A command that stays, with all the lines it printed. `command`: another program, or this one loaded anew."""

    def __init__(
        self,
        args: tuple[str, ...],
        env: Mapping[str, str],
        cwd: Path | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        if command is None and cwd is None and args[0] != "up":  # whose processes tests find by their command lines
            self.process: subprocess.Popen[str] | Started = _forked().start(args, env)
        else:
            self.process = subprocess.Popen(
                [*(command or COMMAND), *args], env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            )  # fmt: skip
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def line(self, pattern: str) -> re.Match[str]:
        """The first line that matches, waited for."""

        def find() -> re.Match[str] | None:
            first = next((match for line in list(self.lines) if (match := re.search(pattern, line))), None)
            if first is None and self.process.poll() is not None and not self._reader.is_alive():
                raise AssertionError("ended: " + "\n".join(self.lines))
            return first

        match = until(find)
        assert isinstance(match, re.Match)
        return match

    def stop(self, number: int = signal.SIGINT, *, insists: bool = False) -> int:
        """The exit code. `insists`: the signal is sent again and again, until the program has ended."""
        pause = threading.Event()
        while self.process.poll() is None:
            self.process.send_signal(number)
            if not insists:
                break
            pause.wait(0.0005)
        code = self.process.wait(timeout=DEADLINE)
        self._reader.join(timeout=DEADLINE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@contextmanager
def running(
    *args: str, env: Mapping[str, str], cwd: Path | None = None, command: Sequence[str] | None = None
) -> Iterator[Running]:
    program = Running(args, env, cwd, command)
    try:
        yield program
    finally:
        program.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str, token: str | None = None, method: str = "GET") -> tuple[int, dict[str, str], Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)) as connection:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        content = answer.read()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, json.loads(content) if content else None


def status_of(port: int, path: str) -> int:
    """The status of a GET; 0 while nobody answers."""
    try:
        return get(port, path)[0]
    except OSError:
        return 0


def deliver(port: int, content: bytes, *, signature: str | None = None, source: str = "movemint") -> tuple[int, Any]:
    """POST a delivery, signed unless a signature is given; gives the status and the JSON answered."""
    headers = {"X-Signature": model.signature(content) if signature is None else signature}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)) as connection:
        connection.request("POST", f"/webhooks/{source}", content, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
