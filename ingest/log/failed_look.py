"""Looks at the source that failed: of each source and choice of events, since when, and why the last one did.

What a look found is in the log; one that found nothing would leave no trace, and nobody would miss it for days.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, DateTime, Engine, PrimaryKeyConstraint, Table, Text, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import DBAPIError

from ingest.database import metadata
from ingest.failures import Failure, WrongUsage
from ingest.log.reconciliation import events_in_words
from ingest.sqlstate import DRIVER_ERRORS, unusable

_MOST_CHARACTERS = 1_000
_OF_A_FAULT = "a fault in rosterlog: what the command printed says more"
# A schedule tries again. What has not failed for so long is tried no more: its events are over, or others were chosen.
_TRIED_LATELY = "8 days"

failed_look = Table(
    "failed_look",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("event_ids", ARRAY(Text), nullable=False),
    Column("since", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("failed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("why", Text, nullable=False),
    PrimaryKeyConstraint("source", "event_ids", name="failed_look_pkey"),
)
FAILING = f"""
select l.source, l.since from failed_look l where l.failed_at > now() - interval '{_TRIED_LATELY}'
"""  # noqa: S608 - of our own SQL alone
# Of the same events, of fewer, or of all: what failed of some of them may fail of those still.
_FORGET = text("""
delete from failed_look l
where l.source = :source and (
  cardinality(cast(:event_ids as text[])) = 0
  or (cardinality(l.event_ids) > 0 and l.event_ids <@ cast(:event_ids as text[]))
)
""")


@dataclass(frozen=True, slots=True)
class FailedLook:
    """Looks that failed, one after the other, since a time; `event_ids`: None for all. `why`: of the last one."""

    event_ids: Sequence[str] | None
    since: datetime
    failed_at: datetime
    why: str

    @property
    def scope(self) -> str:
        """The events that were to be compared, in words."""
        return events_in_words(self.event_ids)

    def as_json(self) -> dict[str, object]:
        return {"events": self.event_ids, "since": self.since, "failed_at": self.failed_at, "why": self.why}


def read_failed(connection: Connection) -> dict[str, Sequence[FailedLook]]:
    """By source the looks that fail, those that do so for longest first."""
    found: defaultdict[str, list[FailedLook]] = defaultdict(list)
    look = failed_look.c
    lately = look.failed_at > func.now() - text(f"interval '{_TRIED_LATELY}'")
    for row in connection.execute(select(failed_look).where(lately).order_by(look.since, look.source, look.event_ids)):
        found[row.source].append(FailedLook(row.event_ids or None, row.since, row.failed_at, row.why))
    return dict(found)


@contextmanager
def noted_if_failed(operator: Engine, source: str, event_ids: Collection[str] | None) -> Iterator[None]:
    """Note that the look in this block failed, and why; if it did not, that it fails no more.

    A database that takes no note now says so by itself.
    """
    events = sorted(event_ids or ())
    try:
        yield
    except Exception as error:
        _note(operator, source, events, _why(error))
        raise
    try:
        with operator.begin() as connection:
            connection.execute(_FORGET, {"source": source, "event_ids": events})
    except DBAPIError:
        return


def _note(operator: Engine, source: str, events: Sequence[str], why: str) -> None:
    noted = insert(failed_look).values(source=source, event_ids=events, why=why[:_MOST_CHARACTERS])
    again = {"failed_at": noted.excluded.failed_at, "why": noted.excluded.why}
    try:
        with operator.begin() as connection:
            connection.execute(noted.on_conflict_do_update(constraint="failed_look_pkey", set_=again))
    except DBAPIError:
        return


def _why(error: Exception) -> str:
    if isinstance(error, DRIVER_ERRORS):
        return str(unusable(error))
    return str(error) if isinstance(error, Failure | WrongUsage) else _OF_A_FAULT
