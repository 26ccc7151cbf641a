"""Comparing a file with a roster of as many people, beside reading both alone; writing it down; inner completeness."""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import psycopg
from sqlalchemy import text

from bench.machine import database, show, show_head
from bench.roster import fill_roster, in_many_events
from ingest.database import OPERATOR_ROLE, WORKER_ROLE, sync_engine
from ingest.session import LONG
from ingest.simulator.export import HEADINGS, ExportForm, export_bytes
from projections.catalogue import catalogue
from projections.folding import builds
from projections.participants.fields import DECLARED
from projections.truth.allowed_drift import AllowedDrift
from projections.truth.apply import apply_listing
from projections.truth.comparison import FileLook, compare_listing, scope_of
from projections.truth.inner import count_within
from projections.truth.listing import listing_of
from projections.truth.mapping import guessed
from projections.truth.matching import MATCHINGS

PEOPLE = int(os.environ.get("PEOPLE", "300000"))
ROUNDS = 5
_COLUMNS = {"id": "participant_id", "created_at": "registered_at", "sub_event.name": "sub_event_name"}
_PARTICIPANTS = catalogue(None)[0]
_COPY = f"copy (select {', '.join(_COLUMNS.get(key, key) for key in HEADINGS)} from participants_build) to stdout"


def measure(conninfo: str) -> None:
    """`PEOPLE` in the environment says how many; one in a hundred is listed with another bib, in no order."""
    roster = database(conninfo, "reconcile")
    fill_roster(roster, PEOPLE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "listed.csv"
        _write(path)
        print(f"{PEOPLE:,} people, a file of {path.stat().st_size / 1e6:.0f} MB")
        seconds: dict[str, list[float]] = {name: [] for name in ("csv alone", "COPY out", "reconcile")}
        within: dict[str, list[float]] = {name: [] for name in ("count(distinct subject)", "inner")}
        for number in range(ROUNDS + 1):
            for name, work in (("csv alone", _read), ("COPY out", _copy), ("reconcile", _reconcile)):
                _note(seconds[name] if number else [], work, roster, path)
            for name, work in (("count(distinct subject)", _count), ("inner", _inner)):
                _note(within[name] if number else [], work, roster, path)
        show_head()
        for name, values in {**seconds, **within}.items():
            show(f"{name}, s", values, 2)
        alone = zip(seconds["csv alone"], seconds["COPY out"], strict=True)
        both = [sum(pair) for pair in alone]
        show("reconcile / (csv + COPY)", [a / b for a, b in zip(seconds["reconcile"], both, strict=True)], 2)
        counted = within["count(distinct subject)"]
        show("inner / count(distinct)", [a / b for a, b in zip(within["inner"], counted, strict=True)], 2)
        show("memory of rosterlog reconcile, MB", [_memory(roster, path)], 0)
        _write(path, others=1)
        show("apply, events a second", [PEOPLE / _apply(roster, path)], 0)


def _note(values: list[float], work: Callable[[str, Path], None], roster: str, path: Path) -> None:
    begun = time.perf_counter()
    work(roster, path)
    values.append(time.perf_counter() - begun)


def _write(path: Path, others: int = 100) -> None:
    """A file in which one in so many has another bib."""
    numbers = [*range(PEOPLE)]
    Random(1).shuffle(numbers)
    with path.open("wb") as file:
        for begin in range(0, PEOPLE, 20_000):
            rows = [in_many_events(number) for number in numbers[begin : begin + 20_000]]
            rows = [{**row, "bib": "other"} if place % others == 0 else row for place, row in enumerate(rows)]
            lines = export_bytes(rows, ExportForm())
            file.write(lines if begin == 0 else lines.split(b"\r\n", 1)[1])


def _read(_roster: str, path: Path) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        for _ in csv.reader(file):
            pass


def _copy(roster: str, _path: Path) -> None:
    with psycopg.connect(roster) as connection, connection.cursor().copy(_COPY.encode()) as copied:
        for _ in copied:
            pass


def _reconcile(roster: str, path: Path) -> None:
    engine = sync_engine(roster, WORKER_ROLE, LONG)
    listing = listing_of(path)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        scope = scope_of(connection, _PARTICIPANTS, "movemint", None)
        look = FileLook(listing, guessed(listing.headings, DECLARED).columns, MATCHINGS["id"], listing.changed_at)
        tally = compare_listing(connection, scope, look, DECLARED, lambda _difference: None)
    engine.dispose()
    assert tally.agreeing + tally.kinds.total() == PEOPLE, tally
    assert tally.columns["bib"] == PEOPLE // 100, tally


def _apply(roster: str, path: Path) -> float:
    """The seconds that it takes to write down everybody, without the comparison."""
    worker, operator = (sync_engine(roster, role, LONG) for role in (WORKER_ROLE, OPERATOR_ROLE))
    times = []

    @contextmanager
    def following(_people: int) -> Iterator[Callable[[int], None]]:
        times.append(time.perf_counter())
        yield lambda _number: None
        times.append(time.perf_counter())

    listing = listing_of(path)
    look = FileLook(listing, guessed(listing.headings, DECLARED).columns, MATCHINGS["id"], listing.changed_at)
    with worker.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        scope = scope_of(connection, _PARTICIPANTS, "movemint", None)
        allowed = AllowedDrift(frozenset({"bib"}))
        applied = apply_listing(
            connection, operator, scope, look, DECLARED, allowed, lambda _difference: None, following
        )
    for engine in (worker, operator):
        engine.dispose()
    assert applied.agrees, applied
    return times[1] - times[0]


def _count(roster: str, _path: Path) -> None:
    engine = sync_engine(roster, WORKER_ROLE, LONG)
    with engine.connect() as connection:
        connection.execute(text("select count(distinct subject) from event_log")).scalar_one()
    engine.dispose()


def _inner(roster: str, _path: Path) -> None:
    engine = sync_engine(roster, WORKER_ROLE, LONG)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        build = builds.live(connection, "participants")
        assert build is not None
        assert count_within(connection, build, "movemint").is_complete
    engine.dispose()


def _memory(roster: str, path: Path) -> float:
    """MB at most, of a process of its own. What wait4() tells of it begins with the memory of this one."""
    command = [sys.executable, "-m", "projections", "reconcile", "--file", str(path)]
    most = 0
    with Path(os.devnull).open("wb") as nothing:
        process = subprocess.Popen(command, env={**os.environ, "DATABASE_URL": roster}, stdout=nothing, stderr=nothing)
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            most = max([most, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
            time.sleep(0.05)
    return most / 1000
