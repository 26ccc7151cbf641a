"""How the roster was compared with its source: the header of each observation as a row, which its appending notes.

What readers ask for at each scrape and on each page costs no look into the log.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from ingest.database import metadata

reconciliation = Table(
    "reconciliation",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("position", BigInteger, nullable=False, autoincrement=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("kind", Text, nullable=False),
    Column("taken_at", DateTime(timezone=True), nullable=False),
    Column("event_ids", ARRAY(Text)),
    Column("rows_read", BigInteger),
    Column("missing", BigInteger, nullable=False),
    Column("stale", BigInteger, nullable=False),
    Column("unlisted", BigInteger, nullable=False),
    Column("unknowable", BigInteger, nullable=False),
    Column("is_complete", Boolean, nullable=False),
    Column("compared_at", BigInteger, nullable=False),
    Column("until_position", BigInteger),
    PrimaryKeyConstraint("source", "position", name="reconciliation_pkey"),
    Index("reconciliation_until", "source", "until_position"),
)
DRIFT_LEFT = ("missing", "stale", "unlisted")  # what somebody has to look at; what is unknowable often passes by itself

# The comparisons of a source that stood at a position: none of at least the same events was a newer look. In the
# driver's own form, which costs an answer of the API least. Each row is a `Reconciled`.
STANDING = """
select r.position, r.recorded_at, r.kind, r.taken_at, r.event_ids, r.rows_read, r.missing, r.stale, r.unlisted,
  r.unknowable, r.is_complete, r.compared_at
from reconciliation r
where r.source = %(source)s and r.position <= %(until)s
  and (r.until_position is null or r.until_position > %(until)s)
"""
_MOST_NAMED = 3  # events


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One comparison. `position`: of its observation; `compared_at`: that up to which the roster was compared.

    `event_ids`: None for all of the source. `taken_at`: of when what was compared with is. `rows`: that were listed.
    `missing` to `unknowable`: what was left once the observation was in the log. `is_complete`: of that, nothing but
    what passes by itself, or is as it should be.
    """

    position: int
    recorded_at: datetime
    kind: str
    taken_at: datetime
    event_ids: Sequence[str] | None
    rows: int | None
    missing: int
    stale: int
    unlisted: int
    unknowable: int
    is_complete: bool
    compared_at: int

    @property
    def scope(self) -> str:
        """The events that were compared, in words."""
        return events_in_words(self.event_ids)

    @property
    def drift(self) -> dict[str, int]:
        """How many are missing, stale or unlisted, by kind, where there are any."""
        return {kind: number for kind in DRIFT_LEFT if (number := getattr(self, kind))}

    @property
    def result(self) -> str:
        """What was found, in words."""
        if self.is_complete:
            return f"complete, but for {self.unknowable:,} who could not be judged" if self.unknowable else "complete"
        numbers = {**self.drift, **({"unknowable": self.unknowable} if self.unknowable else {})}
        return ", ".join(f"{number:,} {kind}" for kind, number in numbers.items())

    def as_json(self) -> dict[str, object]:
        return {
            "position": self.position,
            "recorded_at": self.recorded_at,
            "kind": self.kind,
            "taken_at": self.taken_at,
            "events": self.event_ids,
            "rows": self.rows,
            "compared_at_position": self.compared_at,
            "missing": self.missing,
            "stale": self.stale,
            "unlisted": self.unlisted,
            "unknowable": self.unknowable,
            "complete": self.is_complete,
        }


def events_in_words(event_ids: Collection[str] | None) -> str:
    """These events, the first few by their ids; None: all."""
    if event_ids is None:
        return "all events"
    named = ", ".join(sorted(event_ids)[:_MOST_NAMED])
    more = f" and {len(event_ids) - _MOST_NAMED:,} more" if len(event_ids) > _MOST_NAMED else ""
    return f"event{'' if len(event_ids) == 1 else 's'} {named}{more}"


def read_reconciled(connection: Connection) -> dict[str, Sequence[Reconciled]]:
    """The comparisons of each source that stand, the newest first: the last one of all is among them."""
    found: defaultdict[str, list[Reconciled]] = defaultdict(list)
    row = reconciliation.c
    columns = [column for column in row if column.name not in ("source", "until_position")]
    query = select(row.source, *columns).where(row.until_position.is_(None)).order_by(row.source, row.position.desc())
    for source, *values in connection.execute(query):
        found[source].append(Reconciled(*values))
    return dict(found)
