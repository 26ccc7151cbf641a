"""How a deployment is, and what needs a person: each in a sentence with the next step."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from ingest.log.refused import NOTHING_REFUSED, Refused, refused_lately
from projections.folding.heartbeat import SeenWorker, last_seen
from projections.folding.projection import Projection
from projections.folding.status import (
    ProjectionStatus,
    SourceStatus,
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


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One source. `last_received_at`: None if it has no event. `stored_last_hour`: deliveries."""

    status: SourceStatus
    last_received_at: datetime | None
    stored_last_hour: int
    refused: Refused

    def as_json(self) -> dict[str, object]:
        return {
            **self.status.as_json(),
            "last_received_at": self.last_received_at,
            "stored_last_hour": self.stored_last_hour,
            "refused_last_hour": self.refused.last_hour,
            "refused_by_reason": dict(self.refused.by_reason),
            "last_refused_at": self.refused.last_at,
        }


@dataclass(frozen=True, slots=True)
class Health:
    """A deployment. `behind`: seconds that the oldest event has waited to be folded, its projection and its source.

    `unknown`: what was refused of sources that nobody knows. `worker`: the one that was seen last. `is_used`: programs
    of rosterlog are connected, besides this one.
    """

    sources: Sequence[SourceHealth]
    projections: Sequence[ProjectionStatus]
    behind: tuple[float, str, str]
    unknown: Refused
    worker: SeenWorker | None
    is_used: bool


def read_health(connection: Connection, projections: Sequence[Projection], configured: Iterable[str]) -> Health:
    """The health of every source that has secrets or events, and of what serves them."""
    statuses = read_status(connection, projections, configured)
    refused = refused_lately(connection)
    rows = connection.execute(_ARRIVALS, {"sources": [status.source for status in statuses]})
    arrivals: Mapping[str, tuple[datetime, int]] = {row[0]: (row[1], row[2]) for row in rows}
    sources = []
    for status in statuses:
        last_received_at, last_hour = arrivals.get(status.source, (None, 0))
        of_source = refused.get(status.source, NOTHING_REFUSED)
        sources.append(SourceHealth(status, last_received_at, last_hour, of_source))
    return Health(
        sources,
        read_projections(connection, projections),
        longest_behind(connection, projections),
        refused.get("", NOTHING_REFUSED),
        last_seen(connection),
        connection.execute(_SERVES).scalar_one(),
    )


def needs(health: Health) -> list[str]:
    """What needs a person, the most urgent first: a sentence each, with the next step."""
    found = [sentence for source in health.sources if (sentence := _all_refused(source)) is not None]
    seconds, projection, source = health.behind
    unseen = None if health.worker is None else (datetime.now(UTC) - health.worker.seen_at).total_seconds()
    if (health.is_used or seconds > BEHIND_SECONDS) and (unseen is None or unseen > UNSEEN_SECONDS):
        since = "ever" if unseen is None else f"for {_long(unseen)}"
        found.append(f"no worker was seen {since}: start rosterlog worker, or look at its log")
    found += [
        f"{each.projection}: nothing is folded, since another definition folded its build {each.build}: set "
        f"ROSTERLOG_FIELDS as it was then, or run rosterlog rebuild {each.projection} if this one is right"
        for each in health.projections
        if each.needs_rebuild
    ]
    if seconds > BEHIND_SECONDS:
        found.append(f"{source}: {projection} is {_long(seconds)} behind the log: the worker's log says why")
    found += [
        f"{each.status.source}: {each.status.quarantined} parked events: rosterlog quarantine list shows what, and why"
        for each in health.sources
        if each.status.quarantined
    ]
    return found


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


def _long(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
