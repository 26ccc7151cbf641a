"""Runs a program of ours and kills it at one certain step: `python -m tests.steps FOLDER STEP PROGRAM ARGUMENTS`.

A step is a thing that others can see: a file of the folder that is about to be made, renamed or removed, a lock, a
program, a signal, a statement of the database, a line that is said; or what a child process has done. The program dies
before it takes the step, its children go on. Each step is printed once, by its name; STEP "" kills nothing.
"""

import asyncio
import os
import re
import runpy
import signal
import sys
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import click
import psycopg
import uvicorn

_MAKES = os.O_CREAT | os.O_WRONLY | os.O_RDWR
_ON_PATHS = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.chown", "os.symlink", "shutil.rmtree"}
_RANDOM = re.compile(r"(?<=new-)\w+|(?<=probe-)\w+|(?<=SQL\.)\d+|(?<=rosterlog-)\w+")
_PAUSE = 0.0005  # seconds between two looks at what the children do


class Steps:
    """The steps of this process. `phase` is a part of each name."""

    def __init__(self, folder: Path, kill_at: str) -> None:
        self._folder = str(folder)
        self._kill_at = kill_at
        self._taken: set[str] = set()
        self.phase = "start"

    def take(self, name: str) -> None:
        step = f"{self.phase}: {_RANDOM.sub('*', name)}"
        if step in self._taken:
            return
        self._taken.add(step)
        os.write(1, f"step {step}\n".encode())
        if step == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """What Python tells before it does it."""
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & _MAKES:
            self._take_on("open", arguments[:1])
        elif event in _ON_PATHS:
            self._take_on(event, arguments[:2] if event in ("os.rename", "os.symlink") else arguments[:1])
        elif event == "fcntl.flock":
            self._take_on(f"flock {arguments[1]}", [_path_of(arguments[0])])
        elif event == "subprocess.Popen" and not str(arguments[0]).endswith(("/sh", "/postgres")):
            self.take(f"run {Path(os.fsdecode(arguments[0])).name}")
        elif event == "os.kill":
            self.take(f"signal {arguments[1]}")
        elif event == "socket.bind":
            self.take("bind")

    def _take_on(self, what: str, paths: Any) -> None:  # noqa: ANN401 - arguments of any event
        """Take a step on these paths if one of them is in the folder."""
        texts = [_path_of(path) if isinstance(path, int) else os.fsdecode(path) for path in paths]
        if any(text.startswith(self._folder) for text in texts):
            self.take(" ".join([what, *(text.removeprefix(self._folder) for text in texts)]))

    def before(self, owner: Any, name: str, step: Callable[..., str]) -> None:  # noqa: ANN401 - a module or a class
        """Take a step before each call of a function of another's, which Python does not tell by itself."""
        original = getattr(owner, name)

        def wrapper(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
            self.take(step(*arguments))
            return original(*arguments, **named)

        setattr(owner, name, wrapper)

    def watch(self) -> None:
        """Take a step for what the children do: initdb, and the server by its pid file."""
        home = Path(self._folder) / "postgres"
        pid_file = home / "data" / "postmaster.pid"
        while True:
            if any(home.glob("data.new-*/base")):
                self.take("initdb is at work")
            try:
                lines = pid_file.read_text().splitlines()
            except OSError:
                lines = []
            if lines:
                self.take(f"the server is {lines[7].strip() if len(lines) > 7 else 'new'}")
            threading.Event().wait(_PAUSE)


def _path_of(descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - cheaper in a hook
    except OSError:
        return ""


def _statement(_cursor: object, query: object, *_: object) -> str:
    text = query.decode() if isinstance(query, bytes) else str(query)
    words = re.sub(r"--.*|\s+|Composed\(\[SQL\('", " ", text).lower().split()
    is_a_look = words[0] in ("select", "show") and "lock" not in text
    return "look at the database" if is_a_look else f"statement {' '.join(words[:2])}"


def main() -> None:
    folder, kill_at, program, *arguments = sys.argv[1:]
    steps = Steps(Path(folder).resolve(), kill_at)
    steps.before(psycopg.Cursor, "execute", _statement)
    commits = count(1)
    steps.before(psycopg.Connection, "commit", lambda *_: f"commit {next(commits)}")
    steps.before(asyncio, "create_subprocess_exec", lambda *_: "run worker")
    steps.before(asyncio.subprocess.Process, "wait", lambda *_: "the worker is waited for")
    steps.before(uvicorn.Server, "shutdown", lambda *_: "the server stops")
    steps.before(click, "echo", lambda line, *_: f"say {str(line).split()[0]}")

    def stop(*_: object) -> str:
        steps.phase = "stop"
        return "asked to"

    steps.before(uvicorn.Server, "handle_exit", stop)
    sys.addaudithook(steps.on_audit)
    threading.Thread(target=steps.watch, daemon=True).start()
    sys.argv = [program, *arguments]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
