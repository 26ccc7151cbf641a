"""What a change costs the webhook's server in CPU per delivery: this checkout and another one (`BASE`), in turn."""

import os
import sys
from pathlib import Path

from bench.deliveries import load, serving
from bench.machine import show, show_head

ROUNDS = 7
DELIVERIES = 20_000


def measure(conninfo: str) -> None:
    """`BASE` in the environment names a checkout of before the change, with its `.venv`."""
    base = os.environ.get("BASE")
    if base is None:
        sys.exit("set BASE to a checkout of before the change, with its .venv: BASE=../before python -m bench counting")
    commands = {"this": (sys.executable, Path.cwd()), "base": (str(Path(base) / ".venv/bin/python"), Path(base))}
    used: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(ROUNDS + 1):
        for name, (python, folder) in commands.items():
            with serving("rosterlog", conninfo, python, folder) as (port, pid):
                before = _cpu_seconds(pid)
                load(port, DELIVERIES, seed=10 * number + (name == "base"))
                microseconds = (_cpu_seconds(pid) - before) / DELIVERIES * 1e6
            if number > 0:  # the first round warms up
                used[name].append(microseconds)
                print(f"round {number}  {name:<6}{microseconds:>8.1f} us", flush=True)
    show_head()
    for name, values in used.items():
        show(f"CPU of the server per delivery, us, {name}", values, 1)
    show("this / base", [this / before for this, before in zip(used["this"], used["base"], strict=True)], 3)


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
