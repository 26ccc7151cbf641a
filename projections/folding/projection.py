"""What a projection is: a name, a version, its tables, a pure fold, and how what it gives is written. Plain data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection

from ingest.log.event import Event
from projections.folding.builds import Build
from projections.folding.copy import Row
from projections.folding.outcome import Parked, Passed


class Folded(Protocol):
    """What a fold gives for an event that it understood: whose state it is, and where in the log that was said."""

    @property
    def participant_id(self) -> str: ...
    @property
    def position(self) -> int: ...


Outcome = Any  # a `Folded` of the projection's own, `Parked` or `Passed`
Rows = Mapping[str, Iterable[Row]]  # by table


@dataclass(frozen=True, slots=True)
class Projection:
    """Everything that the worker, a rebuild and the commands need to know of a projection.

    `columns`: those of each table that are written, by table; the build's number is not among them.
    `fold`: what one event means. `save`: write what was folded, in the log's order, over the rows there are, in the
    caller's transaction. `load`: the rows of people of whom a build has none yet, each with all their states in order.
    `finish`: derive what is counted from the rows, once they are loaded. `compared`: the tables, each with the columns
    that tell its rows apart, that a rebuild compares; all of them have `source`, `participant_id` and `position`.
    """

    name: str
    version: str
    columns: Mapping[str, Sequence[str]]
    fold: Callable[[Event], Outcome]
    save: Callable[[Connection, Build, str, Sequence[Any]], None]
    load: Callable[[str, Sequence[Sequence[Any]]], Rows]
    compared: Mapping[str, Sequence[str]]
    finish: Callable[[Connection, Build], None] = field(default=lambda _connection, _build: None)


def is_folded(outcome: Outcome) -> bool:
    """Whether an event was understood."""
    return not isinstance(outcome, Parked | Passed)
