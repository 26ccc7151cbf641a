"""What erasures wait for, in numbers: bodies that they name and that are there, and what was delivered since."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

_WITHHELD = text("select w.source, w.undone, w.delivered_since, w.events from withheld_events() w order by w.source")


@dataclass(frozen=True, slots=True)
class WaitingErasures:
    """Of a source. `undone`: erasures that name a body which is there, as after the restore of a backup.

    `delivered_since`: participants of erasures in force of whom something was delivered since, in so many `events`.
    """

    source: str
    undone: int
    delivered_since: int
    events: int


def waiting_erasures(connection: Connection) -> list[WaitingErasures]:
    """The sources of which an erasure waits for somebody, by the newest thousand erasures."""
    return [WaitingErasures(*row) for row in connection.execute(_WITHHELD)]
