"""Runs commands in processes forked from one that has loaded the program: `python -m tests.forked DESCRIPTOR`.

Each is a process of its own, with its environment, arguments and exit code. Only the half second in which every command
would load the same modules again is saved, some three hundred times per run of the suite.
"""

import gc
import importlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ingest.cli import main as receiving
from projections.cli import main as program
from tests import DEADLINE

_LARGEST = 262_144  # bytes of a request: the environment, mostly


class Forked:
    """The process that forks, as the tests use it. It ends when its socket does, so with the tests."""

    def __init__(self) -> None:
        self._socket, given = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with given:
            command = [sys.executable, "-m", "tests.forked", str(given.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[given.fileno()], stdin=subprocess.DEVNULL)
        self._sending = threading.Lock()

    def run(self, args: tuple[str, ...], env: Mapping[str, str], seconds: float) -> tuple[int, str]:
        """Run a command to its end: its exit code, and what it printed, standard error included."""
        reading, writing = os.pipe()
        kept, given = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps({"args": args, "env": dict(env), "cwd": str(Path.cwd())}).encode()
        with self._sending:
            socket.send_fds(self._socket, [request], [writing, given.fileno()])
        os.close(writing)
        given.close()
        with open(reading, "rb") as output, kept:  # noqa: PTH123 - a number, not a path
            kept.settimeout(seconds)
            pid = int(kept.recv(32))
            ending = threading.Timer(seconds, lambda: os.killpg(pid, 9))  # with what it has started
            ending.start()
            printed = output.read().decode()
            code = int(kept.recv(32))
            ending.cancel()
        return code, printed

    def close(self) -> None:
        self._socket.close()
        self._process.wait(timeout=DEADLINE)


def main(descriptor: int) -> None:
    for place in {**receiving.COMMANDS, **program.COMMANDS}.values():
        importlib.import_module(place.partition(":")[0])
    gc.freeze()  # or each child would write to all pages that hold an object
    with socket.socket(fileno=descriptor) as requests:
        while True:
            content, descriptors, _, _ = socket.recv_fds(requests, _LARGEST, 2)
            if not content:
                return
            watching = os.fork()
            if watching == 0:
                requests.close()
                _watch(json.loads(content), *descriptors)
            for number in descriptors:
                os.close(number)
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:  # those that have ended
                    pass


def _watch(request: dict[str, object], output: int, answers: int) -> None:
    """Fork the command, say its number, wait for it, say its exit code."""
    pid = os.fork()
    if pid == 0:
        os.close(answers)
        _become(request, output)
    os.close(output)
    with socket.socket(fileno=answers) as answering:
        answering.send(str(pid).encode())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with suppress(OSError):
            answering.send(str(code).encode())
    os._exit(0)


def _become(request: dict[str, object], output: int) -> None:
    os.setpgid(0, 0)
    for number in (1, 2):
        os.dup2(output, number)
    os.close(output)
    os.chdir(str(request["cwd"]))
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[call-overload] # what `run` sent
    time.tzset()
    sys.argv = ["rosterlog", *request["args"]]  # type: ignore[misc] # likewise
    code: object = 1
    try:
        program.main()
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            sys.stderr.write(f"{code}\n")
    except BaseException:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main(int(sys.argv[1]))
