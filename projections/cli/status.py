"""`rosterlog status`: how far logs and projections are, and what needs a person."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import click
from pydantic_core import to_json

from ingest.cli.group import settings_of
from ingest.cli.invocation import runnable
from ingest.cli.opening import is_demo, migrated_engine, place_of
from ingest.cli.terminal import printable, utc
from ingest.disk import amount, free_bytes
from ingest.log.whereabouts import ARRIVING, MOVED
from ingest.settings import DEFAULT_SOURCE, Settings
from projections.catalogue import catalogue
from projections.folding.health import Health, SourceHealth, in_words, read_health
from projections.folding.needs import needs
from projections.folding.worst import all_sources, worst_sources
from projections.participants.ahead import ahead_of_time, in_a_sentence

_FEW = 20  # sources that are all shown
_MOST_SHOWN = 10  # of more, and of the lines about them


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@settings_of
def status(settings: Settings, *, as_json: bool) -> None:
    """Show how far each source's log and roster have come, what was refused, and what needs a person (exit code 1)."""
    projections = catalogue(settings.fields_file, settings.time_zone)
    free = free_bytes(settings.data_dir) if settings.database_url is None else None
    with migrated_engine(settings, tells=not as_json) as engine, engine.connect() as connection:
        health = read_health(connection, projections, settings.sources or [DEFAULT_SOURCE], free)
        shown = worst_sources(connection, health, _FEW, _MOST_SHOWN)
        ahead = ahead_of_time(connection, [source.status.source for source in health.sources])
        database = {"database": place_of(settings, connection), "is_demo": is_demo(connection)}
    needed = needs(health)
    if as_json:
        click.echo(to_json({**database, **_as_json(health, ahead, needed)}).decode())
    else:
        _print(health, shown, ahead, needed)
    sys.exit(1 if needed else 0)


def _as_json(health: Health, ahead: Mapping[str, int], needed: list[str]) -> dict[str, object]:
    worker = health.worker
    return {
        "sources": [
            {
                **source.as_json(),
                "ahead_of_time": ahead.get(source.status.source, 0),
                **_whereabouts(health, source.status.source),
                **_completeness(health, source.status.source),
            }
            for source in health.sources
        ],
        "projections": [live.as_json() for live in health.projections],
        "worker": None if worker is None else {"host": worker.host, "pid": worker.pid, "seen_at": worker.seen_at},
        "seconds_behind": round(health.seconds_behind, 1),
        "refused_of_unknown_sources_last_hour": health.unknown.last_hour,
        "last_refused_of_unknown_sources_at": health.unknown.last_at,
        "disk_free_bytes": health.free_bytes,
        "is_read_only": health.is_read_only,
        "database_answer_seconds": round(health.answer_seconds, 3),
        "oldest_transaction_seconds": round(health.open_seconds, 1),
        "verify_problems": {source: verified.problems for source, verified in health.verified.items()},
        "needs": needed,
    }


def _whereabouts(health: Health, source: str) -> dict[str, object]:
    where = health.elsewhere.get(source)
    state, place = (None, None) if where is None else (where.state, where.place)
    return {"moved_to": place if state == MOVED else None, "arrives_from": place if state == ARRIVING else None}


def _completeness(health: Health, source: str) -> dict[str, object]:
    reconciled, inner = health.reconciled.get(source), health.inner.get(source)
    return {
        "reconciled": None if reconciled is None else reconciled[0].as_json(),
        "failing_looks": [look.as_json() for look in health.failing.get(source, ())],
        "inner": None if inner is None else inner.as_json(),
    }


def _print(health: Health, shown: Sequence[SourceHealth], ahead: Mapping[str, int], needed: list[str]) -> None:
    _print_sources(health, shown)
    lines = [
        line
        for source in shown
        for line in (
            *_what_is_odd(source, ahead.get(source.status.source, 0)),
            *_elsewhere(health, source.status.source),
            *_completeness_of(health, source.status.source),
        )
    ]
    most = _MOST_SHOWN if len(shown) < len(health.sources) else len(lines)
    for line in (*lines[:most], *_ahead_elsewhere(shown, ahead)):
        click.echo(line)
    if len(lines) > most:
        click.echo(f"and {len(lines) - most} more such lines: rosterlog status --json has all of every source")
    if health.unknown.last_hour:
        last = _time(health.unknown.last_at)
        click.echo(f"deliveries for sources that nobody knows: {health.unknown.last_hour} refused in 1 h, last {last}")
    for live in health.projections:
        if live.build is not None and not live.needs_rebuild:
            click.echo(f"{live.projection}: build {live.build} is live")
    if health.worker is not None:
        click.echo(f"worker: seen {_time(health.worker.seen_at)} on {health.worker.host}")
    elif not health.is_used:
        click.echo(runnable("nothing runs, and no worker was ever seen: rosterlog up starts everything on one machine"))
    if health.free_bytes is not None:
        click.echo(f"disk: {amount(health.free_bytes)} free")
    for sentence in needed:
        click.echo(f"NEEDS YOU  {runnable(sentence)}")


def _print_sources(health: Health, shown: Sequence[SourceHealth]) -> None:
    """The table of the sources, each column as wide as what is in it: usually all in 120 characters.

    Where not all are shown, the sums of all stand below those that are.
    """
    names = [live.projection for live in health.projections]
    rows = [["source", "head", *(f"{name} at" for name in names), "lag", "its age", "parked", "refused in 1 h"]]
    rows[0].append("last delivery")
    for source in shown:
        of_source = source.status
        numbers = [of_source.head, *(of_source.checkpoints[name] for name in names), of_source.lag]
        row = [of_source.source, *map(str, numbers), _age(of_source.lag, source.seconds_behind)]
        row += [str(of_source.quarantined), str(source.refused.last_hour), _time(source.last_received_at)]
        rows.append(row)
    if len(shown) < len(health.sources):
        every = all_sources(health)
        numbers = [every.head, *(every.checkpoints[name] for name in names), every.lag]
        row = [f"all {every.number:,}", *map(str, numbers), _age(every.lag, every.seconds_behind)]
        rows.append([*row, str(every.quarantined), str(every.refused_last_hour), _time(every.last_received_at)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        right = (f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True))
        click.echo("  ".join([f"{first:<{widths[0]}}", *right]))


def _what_is_odd(source: SourceHealth, ahead: int) -> Iterator[str]:
    name = source.status.source
    if source.refused.last_at is not None:
        reasons = ", ".join(f"{number} {reason}" for reason, number in source.refused.by_reason.items()) or "none"
        yield f"{name}: refused in 1 h: {reasons}; the last at {_time(source.refused.last_at)}"
    if ahead:
        yield f"{name}: {in_a_sentence({name: ahead})}"


def _ahead_elsewhere(shown: Sequence[SourceHealth], ahead: Mapping[str, int]) -> Iterator[str]:
    """The sources that are not shown together: no other line says that somebody of theirs is ahead of now."""
    names = {source.status.source for source in shown}
    others = {source: number for source, number in ahead.items() if source not in names}
    if others:
        source = next(iter(others)) if len(others) == 1 else f"{len(others)} sources that are not shown"
        yield f"{source}: {in_a_sentence(others)}"


def _elsewhere(health: Health, source: str) -> list[str]:
    """Where a source is that was moved, or arrives."""
    return [f"{source}: {where}"] if (where := health.elsewhere.get(source)) else []


def _completeness_of(health: Health, source: str) -> Iterator[str]:
    if reconciled := health.reconciled.get(source):
        last = reconciled[0]
        where = f"at position {last.compared_at:,}, {printable(last.scope)}"
        yield f"{source}: compared with the source as it was {_time(last.taken_at)}, {where}: {last.result}"
    if inner := health.inner.get(source):
        yield f"{source}: compared with its own log {_time(inner.finished_at)}: {inner.result}"


def _age(lag: int, seconds: float) -> str:
    return in_words(seconds) if lag else "-"


def _time(moment: datetime | None) -> str:
    return "-" if moment is None else utc(moment.replace(microsecond=0))
