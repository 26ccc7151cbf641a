"""The page of operations: one sentence that says how things are, then each source. Nothing on it is personal."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup
from sqlalchemy import Connection, Engine

from ingest.disk import free_bytes
from ingest.log.hours import HourOfDeliveries, hours_of
from ingest.log.refused import refused_lately
from ingest.log.withheld import waiting_erasures
from ingest.settings import DEFAULT_SOURCE
from projections.folding.builds import rebuilds_under_way
from projections.folding.health import Health, SourceHealth, read_health
from projections.folding.heartbeat import seen_workers
from projections.folding.likewise import few_of_each
from projections.folding.needs import needs
from projections.folding.projection import Projection
from projections.folding.quarantine import TRIED_AGAIN, ParkedEvent, Wanted, parked_events
from projections.folding.worst import all_sources, worst_sources
from projections.participants.ahead import ahead_of_time
from projections.participants.newest_keys import NewestKeys, newest_keys
from projections.web.pages.hour_bars import hour_bars
from projections.web.pages.remarks import needs_of_erasures, remarks

_MOST_DETAILED = 8  # sources with their hours and keys: each takes some milliseconds
_FEW = 50  # sources that are all shown
_MOST_SHOWN = 20  # of more
_MOST_LISTED = 200  # names in a menu
_MOST_PARKED = 50
_MOST_WORKERS = 20


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """A parked event without its participant: where it is, why, and what to do."""

    source: str
    position: int
    projection: str
    parked_at: datetime
    reason: str
    todo: str


@dataclass(frozen=True, slots=True)
class SourceDetails:
    """The hours of a source, drawn and in numbers, and the keys of its newest participants."""

    source: str
    chart: Markup
    hours: Sequence[HourOfDeliveries]
    keys: NewestKeys | None


async def read_operations(
    engine: Engine, projections: Sequence[Projection], data_dir: Path | None, only: str | None
) -> Mapping[str, Any]:
    """What the page shows. `data_dir`: of the embedded database, if it is that. `only`: the one source to be shown.

    In a thread: with thousands of sources it takes a second, in which a server of one process has deliveries to answer.
    """
    return await asyncio.to_thread(
        _read_by, engine, projections, None if data_dir is None else free_bytes(data_dir), only
    )


def _read_by(engine: Engine, projections: Sequence[Projection], free: int | None, only: str | None) -> Any:  # noqa: ANN401 - a template's
    with engine.connect() as connection:
        return _read(connection, projections, free, only)


def _read(connection: Connection, projections: Sequence[Projection], free: int | None, only: str | None) -> Any:  # noqa: ANN401 - a template's
    refused_of = [source for source in refused_lately(connection) if source]  # also where nothing was ever stored
    # Whoever reads the page has a server, though no other program may be connected just now.
    health = replace(read_health(connection, projections, refused_of, free), is_used=True)
    names = [source.status.source for source in health.sources]
    if only is None:
        shown = sorted(worst_sources(connection, health, _FEW, _MOST_SHOWN), key=_name)
    else:
        shown = [source for source in health.sources if source.status.source == only]
    detailed = [_name(source) for source in sorted(_newest_first(shown)[:_MOST_DETAILED], key=_name)]
    parked = parked_events(connection, Wanted(only, is_dismissed=False), _MOST_PARKED + 1)
    erasures = waiting_erasures(connection)
    ahead = ahead_of_time(connection, detailed)
    return {
        "needs": [*needs(health), *few_of_each(needs_of_erasures(erasures))],
        "remarks": [*few_of_each(remarks(health, erasures, ahead))],
        "last": max(filter(None, (source.last_received_at for source in health.sources)), default=None),
        "health": health,
        "zone": projections[0].calendar.time_zone.name,
        "names": names,
        "most_listed": _MOST_LISTED,
        "only": only,
        "source": DEFAULT_SOURCE,
        "shown": shown,
        "every": None if only is not None or len(shown) == len(names) else all_sources(health),
        "folded": {(each.source, each.projection): each for source in shown for each in source.folded},
        "detailed": _details(connection, projections, detailed, health),
        "parked": [_parked_row(event) for event in parked[:_MOST_PARKED]],
        "has_more_parked": len(parked) > _MOST_PARKED,
        "workers": seen_workers(connection, _MOST_WORKERS),
        "rebuilds": {rebuild.projection: rebuild for rebuild in rebuilds_under_way(connection)},
        "erasures": erasures[:_MOST_SHOWN],
    }


def _name(source: SourceHealth) -> str:
    """By which sources stand on the page: in any other order an open table would be another's after a delivery."""
    return source.status.source


def _newest_first(sources: Iterable[SourceHealth]) -> list[SourceHealth]:
    """The one with the newest delivery first."""
    return sorted(sources, key=lambda source: str(source.last_received_at or ""), reverse=True)


def _details(
    connection: Connection, projections: Sequence[Projection], sources: Sequence[str], health: Health
) -> list[SourceDetails]:
    reads = frozenset[str]().union(*(projection.reads for projection in projections))
    unknown = [""] if health.unknown.last_at is not None else []  # deliveries to an address of no source
    return [
        SourceDetails(
            source,
            hour_bars(hours, f"deliveries of {source}" if source else "deliveries for sources that nobody knows"),
            hours,
            newest_keys(connection, source, reads) if source else None,
        )
        for source, hours in hours_of(connection, [*sources, *unknown]).items()
    ]


def _parked_row(event: ParkedEvent) -> ParkedRow:
    return ParkedRow(event.source, event.position, event.projection, event.parked_at, event.reason, _todo(event))


def _todo(event: ParkedEvent) -> str:
    if event.reason.startswith(TRIED_AGAIN):
        return "Nothing: a worker tries it again each minute."
    heals = "" if event.participant_id is None else "A newer good delivery of the participant heals it. "
    at = f"{event.position} --source {event.source}"
    return (
        f"{heals}Once the fold takes it: rosterlog quarantine retry {at}. If it can never be read: rosterlog "
        f"quarantine dismiss {at} --reason TEXT."
    )
