"""How a deployment is, and what needs a person: each in a sentence with the next step."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from ingest.disk import FULL_BYTES, NEARLY_FULL_BYTES, megabytes
from ingest.log.refused import NOTHING_REFUSED, Refused, refused_lately
from projections.folding.heartbeat import SeenWorker, last_seen
from projections.folding.projection import Projection
from projections.folding.status import (
    ProjectionStatus,
    SourceStatus,
    ages_of_lag,
    longest_behind,
    read_projections,
    read_status,
)

UNSEEN_SECONDS = 30.0  # without a worker, after which somebody has to look
BEHIND_SECONDS = 60.0  # that an event may wait to be folded
_MANY = 5  # refused in a row, with none stored between
_WHY = {
    "signature_missing": ("without a signature", "does a proxy drop X-Signature?"),
    "signature_malformed": ("signature malformed", "does a proxy or another sender write X-Signature in its own form?"),
    "signature_wrong": ("signature wrong", "was the secret rotated?"),
    "too_large": ("too large", "raise ROSTERLOG_MAX_BODY_BYTES?"),
    "body_timeout": ("the body came too slowly", "is the way to this server slow?"),
    "unavailable": ("no commit in time", "look at the database and at the server's log"),
    "unknown_source": ("unknown source", "is the address of the webhook right?"),
}
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
_UNSEEN = text("select extract(epoch from clock_timestamp() - max(w.seen_at))::float8 from worker_seen w")


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One source. `last_received_at`: None if it has no event. `stored_last_hour`: deliveries.

    `seconds_behind`: how long the oldest event that some projection has not folded has been in the log; 0 if none is.
    """

    status: SourceStatus
    last_received_at: datetime | None
    stored_last_hour: int
    refused: Refused
    seconds_behind: float

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
    """A deployment. `behind`: seconds that the oldest event has waited to be folded, its projection and its source.

    `unknown`: what was refused of sources that nobody knows. `worker`: the one that was seen last. `is_used`: programs
    of rosterlog are connected, besides this one. `free_bytes`: of the embedded database's file system; None if it is
    not known.
    """

    sources: Sequence[SourceHealth]
    projections: Sequence[ProjectionStatus]
    behind: tuple[float, str, str]
    unknown: Refused
    worker: SeenWorker | None
    is_used: bool
    is_read_only: bool
    free_bytes: int | None


def read_health(
    connection: Connection, projections: Sequence[Projection], configured: Iterable[str], free_bytes: int | None = None
) -> Health:
    """The health of every source that has secrets or events, and of what serves them."""
    statuses = read_status(connection, projections, configured)
    refused = refused_lately(connection)
    rows = connection.execute(_ARRIVALS, {"sources": [status.source for status in statuses]})
    arrivals: Mapping[str, tuple[datetime, int]] = {row[0]: (row[1], row[2]) for row in rows}
    ages = ages_of_lag(connection, projections)
    sources = []
    for status in statuses:
        last_received_at, last_hour = arrivals.get(status.source, (None, 0))
        of_source = refused.get(status.source, NOTHING_REFUSED)
        seconds = max((age for age, _, source in ages if source == status.source), default=0.0)
        sources.append(SourceHealth(status, last_received_at, last_hour, of_source, seconds))
    return Health(
        sources,
        read_projections(connection, projections),
        max(ages, default=(0.0, "", "")),
        refused.get("", NOTHING_REFUSED),
        last_seen(connection),
        connection.execute(_SERVES).scalar_one(),
        connection.execute(_IS_READ_ONLY).scalar_one(),
        free_bytes,
    )


def unseen_worker(connection: Connection, projections: Sequence[Projection]) -> str | None:
    """Why nothing is folded now: no worker was seen lately, though one was before or an event waits; otherwise None."""
    seconds: float | None = connection.execute(_UNSEEN).scalar()
    if seconds is not None:
        return f"none was seen for {in_words(seconds)}" if seconds > UNSEEN_SECONDS else None
    waits, _, _ = longest_behind(connection, projections)
    return f"none was ever seen, and an event waits for {in_words(waits)}" if waits > UNSEEN_SECONDS else None


def needs(health: Health) -> list[str]:
    """What needs a person, the most urgent first: a sentence each, with the next step."""
    found = _of_disk(health)
    found += [sentence for source in health.sources if (sentence := _all_refused(source)) is not None]
    seconds, _, _ = health.behind
    unseen = None if health.worker is None else (datetime.now(UTC) - health.worker.seen_at).total_seconds()
    if (health.is_used or seconds > BEHIND_SECONDS) and (unseen is None or unseen > UNSEEN_SECONDS):
        since = "ever" if unseen is None else f"for {in_words(unseen)}"
        found.append(f"no worker was seen {since}: start rosterlog worker, or look at its log")
    found += [
        f"{each.projection}: nothing is folded, since another definition folded its build {each.build}: set "
        f"ROSTERLOG_FIELDS as it was then, or run rosterlog rebuild {each.projection} if this one is right"
        for each in health.projections
        if each.needs_rebuild
    ]
    found += [
        f"{each.status.source}: an event waits to be folded for {in_words(each.seconds_behind)}: see the worker's log"
        for each in health.sources
        if each.seconds_behind > BEHIND_SECONDS
    ]
    found += [
        f"{each.status.source}: {each.status.quarantined} parked events: rosterlog quarantine list shows what, and why"
        for each in health.sources
        if each.status.quarantined
    ]
    return found


def _of_disk(health: Health) -> list[str]:
    """The sentence about a database that writes nothing, or soon will not."""
    free = health.free_bytes
    if free is not None and free < NEARLY_FULL_BYTES:
        how = "full" if free < FULL_BYTES else "nearly full"
        return [
            f"the disk of the database is {how}, {megabytes(free)} are left: make room on it, nothing else is needed"
        ]
    if health.is_read_only:
        return ["the database is read-only: is it a replica, or was its disk full? look at the server's own status"]
    return []


def _all_refused(source: SourceHealth) -> str | None:
    """The sentence about a source of which all deliveries since the last stored one were refused, if they are many."""
    refused = source.refused
    if refused.run < _MANY or refused.run_since is None or refused.run_reason is None:
        return None
    why, question = _WHY[refused.run_reason]
    total = refused.last_hour + source.stored_last_hour
    return (
        f"{source.status.source}: {refused.last_hour} of {total} deliveries in the last hour were refused, {why} since "
        f"{refused.run_since.astimezone(UTC):%H:%M}: {question}"
    )


def in_words(seconds: float) -> str:
    """A length of time as a person reads it."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
