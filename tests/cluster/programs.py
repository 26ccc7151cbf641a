"""Rungs 1, 3 and 4 under load: programs with a login each, workers that divide sources, sources that come and go."""

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.database import SERVICE_ROLES
from ingest.postgres import as_login
from tests import model
from tests.cluster.judge import heads, is_folded, judge
from tests.cluster.load import Record, loaded
from tests.cluster.services import Services, migrated, services
from tests.cluster.table import Table
from tests.cluster.watch import longest_pause
from tests.program import deliver, environ, run, until

BETWEEN = 100  # deliveries answered before and after each fault
AWAY_SECONDS, STOPPED_SECONDS = 3.0, 12.0
MANY, MORE = 2_000, 500  # sources of rung 4, and those that are added to them
_HEAD = ("what happens", "longest without a 200", "longest without a page", "then on the roster", "not answered 200")


@dataclass(frozen=True, slots=True)
class _Site:
    """`folder`: of the secrets. `sources`: that are delivered to; it may grow."""

    conninfo: str
    folder: Path
    sources: list[str]
    programs: Services
    record: Record


_Fault = Callable[[_Site], None]


def run_logins(say: Callable[[str], None]) -> Table:
    """Rung 1."""
    faults = {f"{name} killed, away for 3 s": _killed(name) for name in ("ingest", "api", "worker")}
    return _run("Programs with a login each, killed (`kill -9`)", 1, faults, say)


def run_workers(say: Callable[[str], None]) -> Table:
    """Rung 3."""
    faults = {
        "a worker of two killed until the other has folded all": _killed_and_taken_over("worker"),
        "the other stopped (`SIGSTOP`) until this one has": _stopped_and_taken_over("worker 2"),
        "both killed, away for 3 s": _killed("worker", "worker 2"),
    }
    return _run("Two workers that divide 40 sources", 40, faults, say)


def run_sources(say: Callable[[str], None]) -> Table:
    """Rung 4."""
    faults = {
        f"{MORE} sources added": _added,
        "ingest killed while a secret is half written": _half_written,
        f"{MORE} others taken away": _taken_away,
    }
    return _run(f"{MANY:,} sources in a folder", MANY, faults, say)


def _killed(*names: str) -> _Fault:
    def fault(site: _Site) -> None:
        for name in names:
            site.programs.kill(name)
        time.sleep(AWAY_SECONDS)
        for name in names:
            site.programs.start(name)

    return fault


def _killed_and_taken_over(name: str) -> _Fault:
    """The other worker has folded all of before, and of while it was away, before it is there again."""

    def fault(site: _Site) -> None:
        site.programs.kill(name)
        _other_folds(site, AWAY_SECONDS)
        site.programs.start(name)

    return fault


def _stopped_and_taken_over(name: str) -> _Fault:
    def fault(site: _Site) -> None:
        site.programs.signal(name, signal.SIGSTOP)
        try:
            _other_folds(site, STOPPED_SECONDS)
        finally:
            site.programs.signal(name, signal.SIGCONT)

    return fault


def _other_folds(site: _Site, seconds: float) -> None:
    time.sleep(seconds)
    noted = heads(site.conninfo)
    until(lambda: is_folded(site.conninfo, noted))


def _added(site: _Site) -> None:
    names = [f"more-{number:04}" for number in range(MORE)]
    for name in names:
        _keep_secret(site.folder, name)
    until(lambda: _status(site, names[-1]) == 200)
    site.sources.extend(names)


def _half_written(site: _Site) -> None:
    """The old secret stays in force while a server runs; one that begins then knows the others alone."""
    name = site.sources[0]
    (site.folder / name).write_text("")
    time.sleep(AWAY_SECONDS)  # in which it is read
    assert _status(site, name) == 200
    site.programs.kill("ingest")
    site.programs.start("ingest")
    until(lambda: _status(site, site.sources[1]) == 200)
    _keep_secret(site.folder, name)
    until(lambda: _status(site, name) == 200)


def _taken_away(site: _Site) -> None:
    """Nobody delivers to them by then: their senders have gone on to another."""
    names = site.sources[MORE : 2 * MORE]
    site.sources[MORE : 2 * MORE] = [site.sources[0]] * MORE
    time.sleep(AWAY_SECONDS)
    for name in names:
        (site.folder / name).unlink()
    until(lambda: _status(site, names[-1]) == 404)


def _keep_secret(folder: Path, source: str) -> None:
    """As secret stores write one: whole, under a name that is not read, which is then changed."""
    written = folder / f".{source}"
    written.write_bytes(model.SECRET)
    written.chmod(0o600)
    written.rename(folder / source)


def _status(site: _Site, source: str) -> int:
    """Of a delivery that is not in the record; it is in the log, and on the model's roster."""
    try:
        return deliver(site.programs.ingest, model.body(f"asked-{source}", team=source), source=source)[0]
    except OSError:
        return 0


def _run(title: str, number: int, faults: Mapping[str, _Fault], say: Callable[[str], None]) -> Table:
    table = Table(title, _HEAD)
    with migrated(say) as (folder, conninfo):
        _run_on(conninfo, folder / "secrets", number, faults, table, say)
    return table


def _run_on(
    conninfo: str,
    folder: Path,
    number: int,
    faults: Mapping[str, _Fault],
    table: Table,
    say: Callable[[str], None],
) -> None:
    sources = [f"source-{each:04}" for each in range(number)]
    folder.mkdir()
    for source in sources:
        _keep_secret(folder, source)
    token = run("token", "create", "reader", "--source", sources[0], env=environ(DATABASE_URL=conninfo))
    addresses = {role.removeprefix("rosterlog_"): as_login(conninfo, role) for role in SERVICE_ROLES}
    every = {*sources}
    with services(addresses, {"ROSTERLOG_SOURCES_FILE": str(folder)}) as programs:
        with loaded(programs, token.splitlines()[-1], sources) as record:
            site = _Site(conninfo, folder, sources, programs, record)
            for name, fault in faults.items():
                row = (name, *_through(site, fault))
                every.update(sources)
                say(" | ".join(map(str, row)))
                table.rows.append(row)
        until(lambda: is_folded(conninfo))
        verdict = judge(conninfo, record.answered, sorted(every))
        table.problems += [*verdict.problems, *programs.ended()]
        table.rows.append((verdict.sentence, *[""] * (len(_HEAD) - 1)))


def _through(site: _Site, fault: _Fault) -> Sequence[object]:
    """A fault under load: the longest pauses of answers, and how long after it what was in the log was folded."""
    record = site.record
    record.until_answered(BETWEEN)
    begun = time.monotonic()
    fault(site)
    over = time.monotonic()
    noted = heads(site.conninfo)
    until(lambda: is_folded(site.conninfo, noted))
    folded = time.monotonic()
    record.until_answered(BETWEEN)
    until(lambda: any(at > over for at in record.paged_at[-1:]))
    to = time.monotonic()
    pauses = [longest_pause(times, begun, to) for times in (record.delivered_at, record.paged_at)]
    refused = sum(begun <= at <= to for at in record.refused_at)
    return (*(f"{seconds:.1f} s" for seconds in (*pauses, folded - over)), refused)
