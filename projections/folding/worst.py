"""The sources that are shown one by one where there are too many for all, those that figures name; and the sums."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ingest.log.named_sources import named_sources, troubles_of_log
from projections.folding.figures import troubles_of_projections
from projections.folding.health import Health, SourceHealth


@dataclass(frozen=True, slots=True)
class AllSources:
    """All sources together. `checkpoints`: sums by projection. `seconds_behind`: of the one that is furthest behind."""

    number: int
    head: int
    checkpoints: Mapping[str, int]
    lag: int
    seconds_behind: float
    quarantined: int
    stored_last_hour: int
    refused_last_hour: int
    last_received_at: datetime | None


def worst_sources(connection: Connection, health: Health, few: int, most: int) -> Sequence[SourceHealth]:
    """All sources if they are `few` or fewer; else up to `most` of them, those with the worst troubles first."""
    if len(health.sources) <= few:
        return health.sources
    by_name = {source.status.source: source for source in health.sources}
    named = named_sources(connection, [troubles_of_log, troubles_of_projections], most).names or ()
    known = (name for name, source in by_name.items() if source.status.head or source.refused.last_at)
    worst_first = dict.fromkeys(name for name in (*named, *known, *by_name) if name in by_name)
    return [by_name[name] for name in [*worst_first][:most]]


def all_sources(health: Health) -> AllSources:
    """The sums over all sources."""
    sources = health.sources
    names = [live.projection for live in health.projections]
    return AllSources(
        len(sources),
        sum(source.status.head for source in sources),
        {name: sum(source.status.checkpoints[name] for source in sources) for name in names},
        sum(source.status.lag for source in sources),
        health.seconds_behind,
        sum(source.status.quarantined for source in sources),
        sum(source.stored_last_hour for source in sources),
        sum(source.refused.last_hour for source in sources),
        max((source.last_received_at for source in sources if source.last_received_at), default=None),
    )
