"""Readers and a writer while replicas fail in each way, as a table for the docs: `python -m tests.replica_load`."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import click

from tests.fold_all import working
from tests.program import until
from tests.reading_beside_model import Reading, reading, writing
from tests.replicated import Replicated, replicated

_MOST_BEHIND = 3.0
_READERS, _TIMES = 4, 2
_ENOUGH = 150  # answers after each step


@dataclass(frozen=True, slots=True)
class Trouble:
    """`begin` makes it and `end` ends it. `server`: what is read while it lasts."""

    name: str
    begin: Callable[[Replicated], None]
    end: Callable[[Replicated], None]
    server: str


def _pause(site: Replicated) -> None:
    site.standbys[0].pause()


def _resume(site: Replicated) -> None:
    site.standbys[0].resume()


def _stop(site: Replicated) -> None:
    site.standbys[0].stop()


def _start(site: Replicated) -> None:
    site.standbys[0].start()


def _hang(site: Replicated) -> None:
    site.ways[0].swallows = True
    site.ways[0].silence()


def _go_on(site: Replicated) -> None:
    site.ways[0].swallows = False


def _cut_both(site: Replicated) -> None:
    for way in site.ways[:2]:
        way.refuses = True
        way.cut()


def _mend_both(site: Replicated) -> None:
    for way in site.ways[:2]:
        way.refuses = False


TROUBLES = (
    Trouble("the first replica stands still (`pg_wal_replay_pause`)", _pause, _resume, "replica 2"),
    Trouble("... is stopped at once", _stop, _start, "replica 2"),
    Trouble("... hangs: connections stay open, nothing answers", _hang, _go_on, "replica 2"),
    Trouble("both replicas are cut off", _cut_both, _mend_both, "DATABASE_URL"),
)


def main() -> None:
    with replicated(_MOST_BEHIND) as site, working(site.worker, 500), writing(site.log):
        with reading(site.port, site.token, site.log, _READERS) as seen:
            _enough(seen)
            for trouble in TROUBLES:
                _measure(site, seen, trouble)
        click.echo(f"load {os.getloadavg()}, {len(site.log.bodies)} events, wrong: {seen.wrong}")
    raise SystemExit(1 if seen.wrong else 0)


def _measure(site: Replicated, seen: Reading, trouble: Trouble) -> None:
    """Print what readers saw, of all times together, and how long it took each time."""
    before, out, back = _counted(seen), [], []
    begun = time.monotonic()
    for _ in range(_TIMES):
        out.append(_seconds(lambda: trouble.begin(site), lambda: site.is_read_from(trouble.server)))
        _enough(seen)
        back.append(_seconds(lambda: trouble.end(site), site.is_whole))
        _enough(seen)
    _say(trouble.name, seen, before, begun, f"left out after {_listed(out)} s, taken again after {_listed(back)} s")


def _counted(seen: Reading) -> tuple[int, int, int, int]:
    return seen.statuses[200], seen.statuses[503], len(seen.wrong), seen.back


def _say(name: str, seen: Reading, before: tuple[int, ...], begun: float, more: str) -> None:
    right, refused, wrong, back = (now - then for now, then in zip(_counted(seen), before, strict=True))
    pause = seen.longest_pause(begun, time.monotonic())
    click.echo(f"{name}: {right} right, {wrong} wrong, {refused} 503, {back} back, pause {pause:.1f} s; {more}")


def _enough(seen: Reading) -> None:
    read = seen.statuses[200]
    until(lambda: seen.statuses[200] >= read + _ENOUGH)


def _seconds(action: Callable[[], None], is_so: Callable[[], bool]) -> float:
    begun = time.monotonic()
    action()
    until(is_so)
    return time.monotonic() - begun


def _listed(numbers: list[float]) -> str:
    return ", ".join(f"{number:.1f}" for number in numbers)


if __name__ == "__main__":
    main()
