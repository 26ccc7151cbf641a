"""Scheduled comparisons with the source that failed: of each choice of events, since when, and why the last one did.

What a comparison found is in the log. One that failed would leave no trace, and nobody would miss it for days.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Engine,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    TextClause,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA

from ingest.database import metadata
from ingest.failures import Failure, WrongUsage
from ingest.log.reconciliation import events_in_words
from ingest.sqlstate import DRIVER_ERRORS, error_fields, is_away, takes_no_writes, unusable

logger = logging.getLogger(__name__)

MANY = 2  # failures in a row, from which on it is told: one passes by itself at times, as when a list changes meanwhile
_MOST_CHARACTERS = 1_000
_OF_A_FAULT = "a fault in rosterlog: what the command printed says more"
# A schedule tries again. What has not failed for so long is tried no more: its events are over, or others were chosen.
_LATELY = "l.failed_at > now() - interval '8 days'"

failed_look = Table(
    "failed_look",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("events_digest", BYTEA, nullable=False),
    Column("event_ids", ARRAY(Text), nullable=False),
    Column("failures", Integer, nullable=False, server_default=text("1")),
    Column("since", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("failed_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("why", Text, nullable=False),
    PrimaryKeyConstraint("source", "events_digest", name="failed_look_pkey"),
)
FAILING = f"select l.source, l.since from failed_look l where l.failures >= {MANY} and {_LATELY}"  # noqa: S608
_FORGET_OLD = text(f"delete from failed_look l where l.source = :source and not ({_LATELY})")  # noqa: S608
_NOTE = text("""
insert into failed_look as l (source, events_digest, event_ids, why)
values (:source, :digest, cast(:event_ids as text[]), :why)
on conflict on constraint failed_look_pkey
do update set failures = l.failures + 1, failed_at = now(), why = excluded.why
""")
# Of events beside those that were looked at now, another look failed, and fails perhaps still.
_FORGET = text("""
delete from failed_look l
where l.source = :source and (
  cardinality(cast(:event_ids as text[])) = 0
  or (cardinality(l.event_ids) > 0 and l.event_ids <@ cast(:event_ids as text[]))
)
""")


@dataclass(frozen=True, slots=True)
class FailedLook:
    """So many comparisons that failed, one after the other, since a time; `event_ids`: None for all events.

    `why`: of the last one, with what to do.
    """

    event_ids: Sequence[str] | None
    failures: int
    since: datetime
    failed_at: datetime
    why: str

    @property
    def said(self) -> str:
        """In a sentence."""
        often = f"{self.failures} times since" if self.failures > 1 else "at"
        since = f"{self.since.astimezone(UTC):%-d %B %H:%M} UTC"
        return f"the scheduled comparison of {events_in_words(self.event_ids)} has failed {often} {since}: {self.why}"

    def as_json(self) -> dict[str, object]:
        told = {"since": self.since, "failed_at": self.failed_at, "why": self.why}
        return {"events": self.event_ids, "failures": self.failures, **told}


def read_failed(connection: Connection) -> dict[str, Sequence[FailedLook]]:
    """By source what fails, what does so for longest first."""
    found: defaultdict[str, list[FailedLook]] = defaultdict(list)
    query = select(failed_look.alias("l")).where(text(_LATELY)).order_by(text("l.since, l.source, l.event_ids"))
    for row in connection.execute(query):
        look = FailedLook(row.event_ids or None, row.failures, row.since, row.failed_at, row.why)
        found[row.source].append(look)
    return dict(found)


def note_failed(operator: Engine, source: str, event_ids: Collection[str] | None, error: Exception) -> None:
    """Note that a comparison failed. That it cannot be noted hinders nothing, and is logged.

    An error may have an `impersonal` text, which is noted in place of its own.
    """
    events = sorted(event_ids or ())
    digest = sha256("\n".join(events).encode()).digest()
    values = {"source": source, "digest": digest, "event_ids": events, "why": _why(error)}
    _write(operator, [(_FORGET_OLD, {"source": source}), (_NOTE, values)])


def note_succeeded(operator: Engine, source: str, event_ids: Collection[str] | None) -> None:
    """Note that a comparison succeeded: what failed of these events fails no more."""
    _write(operator, [(_FORGET, {"source": source, "event_ids": sorted(event_ids or ())})])


def _write(operator: Engine, statements: Sequence[tuple[TextClause, Mapping[str, object]]]) -> None:
    try:
        with operator.begin() as connection:
            for statement, values in statements:
                connection.execute(statement, values)
    except DRIVER_ERRORS as error:
        if not (is_away(error) or takes_no_writes(error)):  # else the database says so itself
            logger.warning("what became of a comparison could not be noted", extra={"fields": error_fields(error)})


def _why(error: Exception) -> str:
    if isinstance(error, DRIVER_ERRORS):
        said = str(unusable(error))
    elif isinstance(error, Failure | WrongUsage):
        said = str(getattr(error, "impersonal", error))
    else:
        said = _OF_A_FAULT
    return said.replace("\0", "").encode(errors="replace").decode()[:_MOST_CHARACTERS]
