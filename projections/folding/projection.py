"""What a projection is, one build of it, and one source's track through a build. Plain data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection

from ingest.log.event import Event
from projections.folding.copy import Row
from projections.folding.outcome import Parked, Passed


class Folded(Protocol):
    """What a fold gives for an event that it understood: the participant, and the position of the event."""

    @property
    def participant_id(self) -> str: ...
    @property
    def position(self) -> int: ...


Outcome = Any  # a `Folded` of the projection's own, `Parked` or `Passed`
Rows = Mapping[str, Iterable[Row]]  # by table


@dataclass(frozen=True, slots=True)
class Build:
    """One build of a projection, by its name; `definition` is the digest of the definition that it was folded by."""

    projection: str
    number: int
    definition: str

    def table(self, name: str) -> str:
        """What a table of the projection is called in this build."""
        return f"{name}_{self.number}"


@dataclass(frozen=True, slots=True)
class Projection:
    """Everything that the worker, a rebuild and the commands need to know of a projection.

    `definition`: the digest of the code that folds and of what it is told to read. `columns`: those of each table that
    are written, by table; the build's number is not among them. `fold`: what one event means. `save`: write what was
    folded, in the log's order, over the rows there are, in the caller's transaction. `load`: the rows of participants
    of whom a build has none yet, each with all states in order. `finish`: derive what is counted from the rows, once
    they are loaded. `compared`: the tables, each with the columns that tell its rows apart, that a rebuild compares;
    all of them have `source`, `participant_id` and `position`.
    """

    name: str
    definition: str
    columns: Mapping[str, Sequence[str]]
    fold: Callable[[Event], Outcome]
    save: Callable[[Connection, "Track", Sequence[Any]], None]
    load: Callable[[str, Sequence[Sequence[Any]]], Rows]
    compared: Mapping[str, Sequence[str]]
    finish: Callable[[Connection, Build], None] = field(default=lambda _connection, _build: None)


@dataclass(frozen=True, slots=True)
class Track:
    """One source's way through one build of a projection: what a checkpoint is of."""

    projection: Projection
    build: Build
    source: str

    @property
    def key(self) -> dict[str, str | int]:
        """The columns that name it in what is kept beside the tables."""
        return {"source": self.source, "projection": self.build.projection, "build": self.build.number}


def is_folded(outcome: Outcome) -> bool:
    """Whether an event was understood."""
    return not isinstance(outcome, Parked | Passed)
