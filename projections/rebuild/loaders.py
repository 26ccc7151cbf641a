"""Spreads the loading of a build over several processes: starts the loaders, hears how far they are, ends them."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from ingest.failures import Failure
from ingest.log.scan import Share
from projections.folding.projection import Build

_COMMAND = (sys.executable, "-m", "projections.rebuild.loader")
_WORTH_SHARING = 10_000  # events of a source; one with fewer is loaded by one process


class LoaderFailed(Failure):
    """A process of the rebuild failed; the live roster is as it was."""


def shares(heads: Mapping[str, int], jobs: int) -> list[list[Share]]:
    """What each of so many processes loads: a share of every large source, and some of the small ones."""
    found: list[list[Share]] = [[] for _ in range(jobs)]
    for number, (source, head) in enumerate(sorted(heads.items())):
        if head < _WORTH_SHARING:
            found[number % jobs].append(Share(source, head, 0, 1))
        else:
            for job in range(jobs):
                found[job].append(Share(source, head, job, jobs))
    return [share for share in found if share]


def run_loaders(
    conninfo: str,
    build: Build,
    fields_file: Path | None,
    snapshot: str,
    shares: Sequence[Sequence[Share]],
    advance: Callable[[int], None],
) -> None:
    """Load the shares, each in a process of its own, as the log is in an exported snapshot.

    Raises `LoaderFailed`; none of them runs any more then.
    """
    heard: queue.Queue[dict[str, object]] = queue.Queue()
    processes = []
    try:
        for of_one in shares:
            told = {
                "conninfo": conninfo,
                "build": asdict(build),
                "fields_file": str(fields_file.resolve()) if fields_file else None,
                "snapshot": snapshot,
                "shares": [asdict(share) for share in of_one],
            }
            processes.append(_start(json.dumps(told), heard))
        _listen(heard, len(processes), advance)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _start(told: str, heard: "queue.Queue[dict[str, object]]") -> subprocess.Popen[str]:
    # A session of its own: Ctrl-C is for the command, which ends its loaders.
    process = subprocess.Popen(
        _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    process.stdin.write(told + "\n")
    process.stdin.flush()
    threading.Thread(target=_hear, args=(process, heard), daemon=True).start()
    return process


def _hear(process: subprocess.Popen[str], heard: "queue.Queue[dict[str, object]]") -> None:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    for line in process.stdout:
        heard.put(json.loads(line))
    heard.put({"ended": process.wait()})


def _listen(heard: "queue.Queue[dict[str, object]]", running: int, advance: Callable[[int], None]) -> None:
    while running:
        line = heard.get()
        if "failed" in line:
            raise LoaderFailed(f"{line['failed']} (the live roster is as it was: run the rebuild again)")
        if "ended" in line:
            running -= 1
            if line["ended"] != 0:
                how = f"a process of the rebuild ended with {line['ended']}"
                raise LoaderFailed(f"{how}; the live roster is as it was: run the rebuild again")
        else:
            advance(int(str(line["done"])))
