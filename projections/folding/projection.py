"""What a projection is, a build of it, and a source's track through a build."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection

from ingest.log.event import Event
from projections.folding.calendar import UTC_CALENDAR, Calendar
from projections.folding.copy import Row
from projections.folding.outcome import Parked, Passed

Outcome = Any  # `Parked`, `Passed`, or the projection's own state, which has a `participant_id` and a `position`
Rows = Mapping[str, Iterable[Row]]  # by name of the table, without the build's number


@dataclass(frozen=True, slots=True)
class Build:
    """A build. `projection`: the projection's name. `definition`: the digest of the definition that folded it."""

    projection: str
    number: int
    definition: str

    def table(self, name: str) -> str:
        """The name that a table of the projection has in this build."""
        return f"{name}_{self.number}"


@dataclass(frozen=True, slots=True)
class Projection:
    """Everything that the worker, a rebuild and the commands need to know about a projection.

    `definition`: the digest of the code that folds and the fields that it reads. `columns`: by table, the columns that
    are written; all but `build`. `fold`: the outcome of one event. `save`: merges folded states, in the log's order,
    into a build's rows, in the caller's transaction. `load`: the rows of participants that a build has no rows of, from
    a source and, per participant, all states in the log's order. `finish`: derives the counts from the loaded rows.
    `is_followed`: followers are told of changes without an event. `compared`: by table that a rebuild compares, the
    columns that, with `source`, identify a row; such a table has `source`, `participant_id` and `position`. `calendar`:
    in which zone days are, kept with each build, for queries. `reads`: the keys of a participant's object that the fold
    reads, of nested ones the outermost.
    """

    name: str
    definition: str
    columns: Mapping[str, Sequence[str]]
    fold: Callable[[Event], Outcome]
    save: Callable[[Connection, "Track", Sequence[Any]], None]
    load: Callable[[str, Sequence[Sequence[Any]]], Rows]
    compared: Mapping[str, Sequence[str]]
    is_followed: bool = False
    calendar: Calendar = UTC_CALENDAR
    reads: frozenset[str] = frozenset()
    finish: Callable[[Connection, Build], None] = field(default=lambda _connection, _build: None)


@dataclass(frozen=True, slots=True)
class Track:
    """One source's way through one build of a projection: there is one checkpoint per track."""

    projection: Projection
    build: Build
    source: str

    @property
    def key(self) -> dict[str, str | int]:
        """The columns that identify the track in checkpoint, quarantine and unknown types."""
        return {"source": self.source, "projection": self.build.projection, "build": self.build.number}


class Behind(NamedTuple):
    """A source whose log goes on past a projection's checkpoint. `position`: the checkpoint; `head`: the log's end."""

    projection: Projection
    source: str
    position: int
    head: int

    @property
    def lane(self) -> tuple[str, str]:
        return self.projection.name, self.source

    @property
    def events(self) -> int:
        return self.head - self.position


def is_folded(outcome: Outcome) -> bool:
    """Whether the event was neither parked nor passed."""
    return not isinstance(outcome, Parked | Passed)
