"""How far everything is: each source's head, its checkpoints, and what is parked."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from ingest.log.read import heads
from projections import checkpoint, quarantine
from projections.participants import rows


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """`head` is the log's last position, a checkpoint the last one folded, `lag` the events between them."""

    source: str
    head: int
    checkpoints: dict[str, int]
    lag: int
    quarantined: int

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def read_status(connection: Connection, configured: Iterable[str]) -> list[SourceStatus]:
    """The status of every source that has secrets or events, by name."""
    head = heads(connection)
    folded = checkpoint.positions(connection, rows.NAME)
    parked = quarantine.counts(connection)
    return [
        SourceStatus(
            source,
            head.get(source, 0),
            {rows.NAME: folded.get(source, 0)},
            head.get(source, 0) - folded.get(source, 0),
            parked.get(source, 0),
        )
        for source in sorted({*configured, *head})
    ]
