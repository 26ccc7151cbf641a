"""What of the roster can be seen: whose, of which events, as of when; and how far it is. All questions ask a view."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Label, ScalarSelect, and_, case, func, select, true
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.folding.builds import projection_table
from projections.folding.checkpoint import checkpoint_table
from projections.participants.table import (
    COLUMNS,
    participant_history,
    participants,
    participants_searched,
    roster_change,
)

NAME = "participants"
NAMES = [column.name for column in COLUMNS]
_SAME_IN_ALL_STATES = ("source", "participant_id", "first_position")


@dataclass(frozen=True, slots=True)
class View:
    """Whose roster is asked for: a source, of that all events (null) or some, as of now (null) or of a position."""

    source: str
    event_ids: tuple[str, ...] | None = None
    as_of: int | None = None

    @property
    def rows(self) -> FromClause:
        """A row a participant, of everybody: what may be seen is for `sees` to say."""
        return participants_searched if self.as_of is None else _roster_at(self.source, self.as_of)

    def sees(self, rows: FromClause) -> ColumnElement[bool]:
        """Whether a row may be seen."""
        is_mine = rows.c.source == self.source
        return is_mine if self.event_ids is None else and_(is_mine, rows.c.event_id.in_(self.event_ids))


def shown(rows: FromClause) -> list[ColumnElement[Any]]:
    """What an answer shows of rows: the contract's columns in its order."""
    return [rows.c[name] for name in NAMES]


@dataclass(frozen=True, slots=True)
class State:
    """What decides what is on the roster of a source: the build, the log position it reflects, and the number of the
    last change that no event brought. Two answers to one question in the same state are the same.
    """

    build: int
    position: int
    change: int


def state_of(source: ColumnElement[str]) -> tuple[ScalarSelect[Any], ...]:
    """The columns of a `State`, of the source in that column."""
    live = select(func.coalesce(func.max(projection_table.c.live), 0)).where(projection_table.c.projection == NAME)
    mine = (checkpoint_table.c.source == source) & (checkpoint_table.c.projection == NAME)
    position = select(func.coalesce(func.max(checkpoint_table.c.position), 0)).where(
        mine, checkpoint_table.c.build == live.scalar_subquery()
    )
    change = select(func.coalesce(func.max(roster_change.c.number), 0)).where(roster_change.c.source == source)
    return tuple(one.correlate(source.table).scalar_subquery() for one in (live, position, change))


async def position_at(connection: AsyncConnection, source: str, moment: datetime) -> int:
    """The last position that was received at a time or before; 0 if there is none."""
    found: int = (await connection.execute(select(func.position_at(source, moment)))).scalar_one()
    return found


def _roster_at(source: str, position: int) -> FromClause:
    """The roster as it was at a position: of each participant the state that held then, by one look into the history.

    Whoever is on it has a newest state too, so its cost goes with the roster's size, however long the log is. Source
    and id are the newest state's, so that what is asked of them finds the index, and a page ends the search.
    """
    newest = participants.alias()
    held = (
        select(participant_history)
        .where(
            newest.c.position > position,
            participant_history.c.source == newest.c.source,
            participant_history.c.participant_id == newest.c.participant_id,
            participant_history.c.position <= position,
        )
        .order_by(participant_history.c.position.desc())
        .limit(1)
        .lateral()
    )

    def column(name: str) -> ColumnElement[Any]:
        if name in _SAME_IN_ALL_STATES:
            return newest.c[name]
        return case((newest.c.position <= position, newest.c[name]), else_=held.c[name]).label(name)

    every = [column(name) for name in ("source", *NAMES)]
    texts = [column(name) for name in ("first_name", "last_name", "bib", "team")]
    words = func.search_words(*(one.element if isinstance(one, Label) else one for one in texts), type_=TSVECTOR())
    return (
        select(*every, words.label("words"))
        .select_from(newest.join(held, true(), isouter=True))
        .where(newest.c.source == source, newest.c.first_position <= position)
        .subquery()
    )
