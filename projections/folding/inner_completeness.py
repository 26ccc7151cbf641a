"""Whether the roster has whom its log names: what the last `reconcile --inner` found, by source."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Engine,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from ingest.database import metadata

inner_completeness = Table(
    "inner_completeness",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("finished_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("position", BigInteger, nullable=False),
    Column("named", BigInteger, nullable=False),
    Column("differences", BigInteger, nullable=False),
    PrimaryKeyConstraint("source", name="inner_completeness_pkey"),
)


@dataclass(frozen=True, slots=True)
class InnerCompleteness:
    """What was found at a position of the log. `named`: participants; `differences`: who is not where the log says."""

    finished_at: datetime
    position: int
    named: int
    differences: int

    @property
    def result(self) -> str:
        """In words, with its position."""
        found = f"{self.differences:,} differ" if self.differences else "complete"
        return f"{found} at position {self.position:,}"

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "complete": not self.differences}


def read_inner(connection: Connection) -> dict[str, InnerCompleteness]:
    """What was found last of each source that was looked at."""
    rows = connection.execute(inner_completeness.select())
    return {row.source: InnerCompleteness(row.finished_at, row.position, row.named, row.differences) for row in rows}


def note_inner(engine: Engine, found: Iterable[tuple[str, int, int, int]]) -> bool:
    """Write down source, position, named and differences of what was just counted. False if it cannot be written, as on
    a replica: what was found is found all the same.
    """
    try:
        with engine.begin() as connection:
            for source, position, named, differences in found:
                new = {"position": position, "named": named, "differences": differences}
                noted = insert(inner_completeness).values(source=source, finished_at=func.now(), **new)
                changes = {**new, "finished_at": noted.excluded.finished_at}
                connection.execute(noted.on_conflict_do_update(constraint="inner_completeness_pkey", set_=changes))
    except DBAPIError:
        return False
    return True
