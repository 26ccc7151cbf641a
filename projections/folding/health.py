"""How a deployment is, by one look at its database."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from ingest.log.refused import NOTHING_REFUSED, Refused, refused_lately
from ingest.log.verification import verification
from projections.folding.heartbeat import SeenWorker, last_seen
from projections.folding.projection import Projection
from projections.folding.status import (
    Folded,
    ProjectionStatus,
    SourceStatus,
    longest_behind,
    read_folded,
    read_projections,
    read_status,
)

UNSEEN_SECONDS = 30.0  # without a worker, after which somebody has to look
_ARRIVALS = text("""
select s.source, head.received_at, head.position - position_at(s.source, now() - interval '1 hour') as last_hour
from unnest(cast(:sources as text[])) as s (source)
cross join lateral (
  select e.position, e.received_at from event_log e where e.source = s.source order by e.position desc limit 1
) head
""")
_SERVES = text("""
select exists (
  select from pg_stat_activity a
  where a.datname = current_database() and a.pid <> pg_backend_pid() and a.application_name = 'rosterlog'
)
""")
# A server that has run out of disk is made read-only by many who run it for others. Our sessions set it themselves.
_IS_READ_ONLY = text("""
select pg_is_in_recovery() or exists (
  select from pg_settings s where s.name = 'default_transaction_read_only' and s.reset_val = 'on'
)
""")
_NOTHING = text("select 1")
_OPEN_FOR = text("select extract(epoch from clock_timestamp() - oldest_transaction())::float8")
_UNSEEN = text("select extract(epoch from clock_timestamp() - max(w.seen_at))::float8 from worker_seen w")


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One source. `last_received_at`: None if it has no event. `stored_last_hour`: deliveries.

    `seconds_behind`: how long the oldest event that some projection has not folded has been in the log; 0 if none is.
    `missing`: a position that the log lacks, at which its projections stand still.
    """

    status: SourceStatus
    last_received_at: datetime | None
    stored_last_hour: int
    refused: Refused
    seconds_behind: float
    missing: int | None

    def as_json(self) -> dict[str, object]:
        return {
            **self.status.as_json(),
            "last_received_at": self.last_received_at,
            "stored_last_hour": self.stored_last_hour,
            "refused_last_hour": self.refused.last_hour,
            "refused_by_reason": dict(self.refused.by_reason),
            "last_refused_at": self.refused.last_at,
            "seconds_behind": round(self.seconds_behind, 1),
        }


@dataclass(frozen=True, slots=True)
class Health:
    """A deployment. `unknown`: what was refused of sources that nobody knows. `worker`: the one that was seen last.

    `is_used`: programs of rosterlog are connected, besides this one. `free_bytes`: of the embedded database's file
    system; None if it is not known. `answer_seconds`: for a statement that does nothing. `open_seconds`: since the
    oldest open transaction began. `problems`: that the last `verify` found, by source.
    """

    sources: Sequence[SourceHealth]
    projections: Sequence[ProjectionStatus]
    unknown: Refused
    worker: SeenWorker | None
    is_used: bool
    is_read_only: bool
    free_bytes: int | None
    answer_seconds: float
    open_seconds: float
    problems: Mapping[str, int]

    @property
    def seconds_behind(self) -> float:
        """How long the oldest event that is not folded has waited, of all sources."""
        return max((source.seconds_behind for source in self.sources), default=0.0)


def read_health(
    connection: Connection, projections: Sequence[Projection], configured: Iterable[str], free_bytes: int | None = None
) -> Health:
    """The health of every source that has secrets or events, and of what serves them."""
    statuses = read_status(connection, projections, configured)
    refused = refused_lately(connection)
    rows = connection.execute(_ARRIVALS, {"sources": [status.source for status in statuses]})
    arrivals: Mapping[str, tuple[datetime, int]] = {row[0]: (row[1], row[2]) for row in rows}
    folded: defaultdict[str, list[Folded]] = defaultdict(list)
    for each in read_folded(connection, projections):
        folded[each.source].append(each)
    sources = []
    for status in statuses:
        last_received_at, last_hour = arrivals.get(status.source, (None, 0))
        of_source = refused.get(status.source, NOTHING_REFUSED)
        seconds = max((each.seconds for each in folded[status.source]), default=0.0)
        missing = next((each.missing for each in folded[status.source] if each.missing is not None), None)
        sources.append(SourceHealth(status, last_received_at, last_hour, of_source, seconds, missing))
    return Health(
        sources,
        read_projections(connection, projections),
        refused.get("", NOTHING_REFUSED),
        last_seen(connection),
        connection.execute(_SERVES).scalar_one(),
        connection.execute(_IS_READ_ONLY).scalar_one(),
        free_bytes,
        _answer_seconds(connection),
        connection.execute(_OPEN_FOR).scalar() or 0.0,
        {row.source: row.problems for row in connection.execute(verification.select())},
    )


def _answer_seconds(connection: Connection) -> float:
    begun = time.monotonic()
    connection.execute(_NOTHING)
    return time.monotonic() - begun


def unseen_worker(connection: Connection, projections: Sequence[Projection]) -> str | None:
    """Why nothing is folded now: no worker was seen lately, though one was before or an event waits; otherwise None."""
    seconds: float | None = connection.execute(_UNSEEN).scalar()
    if seconds is not None:
        return f"none was seen for {in_words(seconds)}" if seconds > UNSEEN_SECONDS else None
    longest = longest_behind(connection, projections)
    waits = 0.0 if longest is None else longest.seconds
    return f"none was ever seen, and an event waits for {in_words(waits)}" if waits > UNSEEN_SECONDS else None


def in_words(seconds: float) -> str:
    """A length of time as a person reads it."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
