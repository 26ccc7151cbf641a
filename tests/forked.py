"""Runs commands in processes forked from one that has loaded the program: `python -m tests.forked DESCRIPTOR`.

Each is a process of its own, with its environment, arguments and exit code. Only the second or two in which every
command would load the same modules again are saved, some thousand times per run of the suite.
"""

import gc
import importlib
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ingest.cli import main as receiving
from projections.catalogue import catalogue
from projections.cli import main as program
from tests import DEADLINE, ROOT

_LARGEST = 262_144  # bytes of a request: the environment, mostly
_PROGRAM = str(ROOT / "projections" / "__main__.py")  # the name of `python -m projections`


class Started:
    """A command that runs, as a `subprocess.Popen` has it. `stdout`: what it prints, standard error included."""

    def __init__(self, kept: socket.socket, stdout: io.TextIOWrapper) -> None:
        self.pid = int(kept.recv(32))
        self.stdout = stdout
        self.returncode: int | None = None
        self._kept = kept
        self._asking = threading.Lock()

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float = DEADLINE) -> int:
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("rosterlog", timeout)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, seconds: float) -> int | None:
        with suppress(ValueError):  # another thread was told meanwhile
            if self.returncode is None and not select.select([self._kept], [], [], seconds)[0]:
                return None
        with self._asking:
            if self.returncode is None:
                with self._kept:  # once it is closed, the number may be another program's
                    self.returncode = self._code()
            return self.returncode

    def _code(self) -> int:
        code = self._kept.recv(32)
        if not code:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            raise AssertionError("what watched the program has died, so the program was killed")
        return int(code)


class Forked:
    """The process that forks, as the tests use it. It ends when its socket does, so with the tests."""

    def __init__(self) -> None:
        self._socket, given = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with given:
            command = [sys.executable, "-m", "tests.forked", str(given.fileno())]
            self._process = subprocess.Popen(
                command, pass_fds=[given.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._sending = threading.Lock()

    def run(self, args: tuple[str, ...], env: Mapping[str, str], seconds: float) -> tuple[int, str]:
        """Run a command to its end: its exit code, and what it printed, standard error included."""
        program = self.start(args, env, "rosterlog")
        ending = threading.Timer(seconds, lambda: os.killpg(program.pid, 9))  # with what it has started
        ending.start()
        with program.stdout as output:
            printed = str(output.buffer.read(), "utf-8")
        code = program.wait(seconds)
        ending.cancel()
        return code, printed

    def start(self, args: tuple[str, ...], env: Mapping[str, str], called_as: str = _PROGRAM) -> Started:
        """Start a command, in a session of its own."""
        reading, writing = os.pipe()
        kept, given = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps({"called_as": called_as, "args": args, "env": dict(env), "cwd": str(Path.cwd())}).encode()
        with self._sending:
            socket.send_fds(self._socket, [request], [writing, given.fileno()])
        os.close(writing)
        given.close()
        kept.settimeout(DEADLINE)
        return Started(kept, open(reading, encoding="utf-8"))  # noqa: PTH123 - a number, not a path

    def close(self) -> None:
        self._socket.close()
        self._process.wait(timeout=DEADLINE)


def main(descriptor: int) -> None:
    for place in {**receiving.COMMANDS, **program.COMMANDS}.values():
        importlib.import_module(place.partition(":")[0])
    catalogue(None)  # reads the code that folds
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
    """Fork the command, wait for it, say its exit code, and leave it its number until the test knows."""
    with socket.socket(fileno=answers) as answering:
        pid = os.fork()
        if pid == 0:
            _become(request, output, answering)
        os.close(output)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        with suppress(OSError):
            answering.send(str(code).encode())
            answering.recv(1)
        os.waitpid(pid, 0)
    os._exit(0)


def _become(request: dict[str, object], output: int, answering: socket.socket) -> None:
    os.setsid()
    with answering:
        answering.send(str(os.getpid()).encode())  # from now on it is a session of its own
    for number in (1, 2):
        os.dup2(output, number)
    os.close(output)
    os.chdir(str(request["cwd"]))
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[call-overload] # what `run` sent
    time.tzset()
    sys.argv = [request["called_as"], *request["args"]]  # type: ignore[list-item, misc] # likewise
    sys.orig_argv = [sys.executable, "-m", "projections", *sys.argv[1:]]  # a server starts its processes by it
    code: object = 1
    try:
        program.main()
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            sys.stderr.write(f"{code}\n")
    except BaseException:
        sys.excepthook(*sys.exc_info())
    threading._shutdown()  # type: ignore[attr-defined] # a program ends when its threads do; multiprocessing does the same
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main(int(sys.argv[1]))
