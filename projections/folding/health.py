"""How a deployment is, by one look at its database."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from ingest.database import SERVICE_ROLES, application_name
from ingest.log.failed_look import FailedLook, read_failed
from ingest.log.figures import is_read_only
from ingest.log.reconciliation import Reconciled, read_reconciled
from ingest.log.refused import NOTHING_REFUSED, Refused, refused_lately
from ingest.log.verification import Verified, read_verified
from ingest.log.whereabouts import OtherPlace, all_elsewhere
from projections.folding.heartbeat import SeenWorker, last_seen
from projections.folding.inner_completeness import InnerCompleteness, read_inner
from projections.folding.projection import Projection
from projections.folding.status import (
    Folded,
    ProjectionStatus,
    SourceStatus,
    longest_behind,
    read_folded,
    read_projections,
    statuses_of,
)

_Arrival = tuple[datetime | None, datetime | None, int]

UNSEEN_SECONDS = 30.0  # without a worker, after which somebody has to look
_ARRIVALS = text("select a.source, a.first_at, a.delivered_at, a.last_hour from arrivals() a")
_SERVES = text("""
select exists (
  select from pg_stat_activity a
  where a.datname = current_database() and a.pid <> pg_backend_pid()
    and a.application_name = any (cast(:names as text[]))
)
""")
_NAMES = {application_name(role) for role in (None, *SERVICE_ROLES)}
_NOTHING = text("select 1")
_OPEN_FOR = text("select extract(epoch from clock_timestamp() - oldest_transaction())::float8")
_SLOTS = text("select s.slot_name, s.held_bytes from slots() s where s.held_bytes > 0 order by s.slot_name")
_UNSEEN = text("select extract(epoch from clock_timestamp() - max(w.seen_at))::float8 from worker_seen w")


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One source. `first_received_at`, `last_received_at`: None if it has no event, no delivery. `stored_last_hour`:
    deliveries.

    `seconds_behind`: how long the oldest event that some projection has not folded has been in the log; 0 if none is.
    `missing`: a position that the log lacks, at which its projections stand still. `folded`: how far each is.
    """

    status: SourceStatus
    first_received_at: datetime | None
    last_received_at: datetime | None
    stored_last_hour: int
    refused: Refused
    seconds_behind: float
    missing: int | None
    folded: Sequence[Folded]

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
    oldest open transaction began. `slots`: the bytes of the write-ahead log that each holds back.
    `reconciled`: by source the comparisons that stand, the newest first. `failing`: the scheduled ones that fail.
    `inner`: by source the last `--inner`.
    `elsewhere`: the sources whose deliveries are not taken here.
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
    slots: Mapping[str, int]
    verified: Mapping[str, Verified]
    reconciled: Mapping[str, Sequence[Reconciled]]
    failing: Mapping[str, Sequence[FailedLook]]
    inner: Mapping[str, InnerCompleteness]
    elsewhere: Mapping[str, OtherPlace]

    @property
    def seconds_behind(self) -> float:
        """How long the oldest event that is not folded has waited, of all sources."""
        return max((source.seconds_behind for source in self.sources), default=0.0)


def read_health(
    connection: Connection, projections: Sequence[Projection], configured: Iterable[str], free_bytes: int | None = None
) -> Health:
    """The health of every source that has secrets or events, and of what serves them."""
    every = read_folded(connection, projections)
    statuses = statuses_of(connection, projections, configured, every)
    refused = refused_lately(connection)
    arrivals: Mapping[str, _Arrival] = {row[0]: row[1:] for row in connection.execute(_ARRIVALS)}
    folded: defaultdict[str, list[Folded]] = defaultdict(list)
    for each in every:
        folded[each.source].append(each)
    sources = []
    for status in statuses:
        first, last, last_hour = arrivals.get(status.source, (None, None, 0))
        of_source = refused.get(status.source, NOTHING_REFUSED)
        seconds = max((each.seconds for each in folded[status.source]), default=0.0)
        missing = next((each.missing for each in folded[status.source] if each.missing is not None), None)
        of_builds = folded[status.source]
        sources.append(SourceHealth(status, first, last, last_hour, of_source, seconds, missing, of_builds))
    return Health(
        sources,
        read_projections(connection, projections),
        refused.get("", NOTHING_REFUSED),
        last_seen(connection),
        connection.execute(_SERVES, {"names": [*_NAMES]}).scalar_one(),
        is_read_only(connection),
        free_bytes,
        _answer_seconds(connection),
        connection.execute(_OPEN_FOR).scalar() or 0.0,
        {row.slot_name: row.held_bytes for row in connection.execute(_SLOTS)},
        read_verified(connection),
        read_reconciled(connection),
        read_failed(connection),
        read_inner(connection),
        all_elsewhere(connection),
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


def seconds_since(moment: datetime) -> float:
    """How long ago a moment was, by this machine's clock."""
    return (datetime.now(UTC) - moment).total_seconds()


def number_of(number: int, one: str, many: str) -> str:
    """A number with what it is of, as a person reads it: `1 delivery`, `4,711 deliveries`."""
    return f"{number:,} {one if number == 1 else many}"
