"""Loads a build with several processes: shares out the log, starts the loaders, reads their progress, ends them."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from ingest.failures import Failure
from ingest.log.scan import Share
from projections.folding.projection import Build

_COMMAND = (sys.executable, "-m", "projections.rebuild.loader")
_SILENT_SECONDS = 3_600.0  # that loaders may take until their next line; the first one comes after a scan of the log
_WORTH_SHARING = 10_000  # events; a source with fewer is loaded by one process


class LoaderFailed(Failure):
    """A loader failed; the live build is unchanged."""


def shares(heads: Mapping[str, int], jobs: int, *, divides: bool = True) -> list[list[Share]]:
    """What each of `jobs` loaders loads: a share of every large source, and some of the small sources whole.

    Without `divides` each source whole: parts of one have to be read in the same snapshot.
    """
    by_loader: list[list[Share]] = [[] for _ in range(jobs)]
    for number, (source, head) in enumerate(sorted(heads.items())):
        if head < _WORTH_SHARING or not divides:
            by_loader[number % jobs].append(Share(source, head, 0, 1))
        else:
            for loader in range(jobs):
                by_loader[loader].append(Share(source, head, loader, jobs))
    return [shares for shares in by_loader if shares]


def run_loaders(
    conninfo: str,
    build: Build,
    definition: Mapping[str, str],
    snapshot: str,
    shares: Sequence[Sequence[Share]],
    advance: Callable[[int], None],
) -> None:
    """Load each list of shares in a process of its own, as the log is in an exported snapshot.

    `definition`: the settings that the definition depends on, for the loader's task. Raises `LoaderFailed`, after every
    loader has ended.
    """
    lines: queue.Queue[dict[str, object]] = queue.Queue()
    processes = []
    try:
        for of_loader in shares:
            task = {
                "conninfo": conninfo,
                "build": asdict(build),
                **definition,
                "snapshot": snapshot,
                "shares": [asdict(share) for share in of_loader],
            }
            processes.append(_start(json.dumps(task), lines))
        _follow(lines, len(processes), advance)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _start(task: str, lines: "queue.Queue[dict[str, object]]") -> subprocess.Popen[str]:
    # A process session of its own: Ctrl-C in the terminal is for the command, which ends its loaders.
    process = subprocess.Popen(
        _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    process.stdin.write(task + "\n")
    process.stdin.flush()
    threading.Thread(target=_read_lines, args=(process, lines), daemon=True).start()
    return process


def _read_lines(process: subprocess.Popen[str], lines: "queue.Queue[dict[str, object]]") -> None:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    for line in process.stdout:
        lines.put(json.loads(line))
    lines.put({"ended": process.wait()})


def _follow(lines: "queue.Queue[dict[str, object]]", running: int, advance: Callable[[int], None]) -> None:
    while running:
        try:
            line = lines.get(timeout=_SILENT_SECONDS)
        except queue.Empty:
            how = f"no process of the rebuild has moved for {_SILENT_SECONDS / 60:.0f} minutes"
            raise LoaderFailed(f"{how}; the live roster is as it was: run the rebuild again") from None
        if "failed" in line:
            raise LoaderFailed(f"{line['failed']} (the live roster is as it was: run the rebuild again)")
        if "ended" in line:
            running -= 1
            if line["ended"] != 0:
                how = f"a process of the rebuild ended with {line['ended']}"
                raise LoaderFailed(f"{how}; the live roster is as it was: run the rebuild again")
        else:
            advance(int(str(line["done"])))
