"""The roster that a question is about: of which source, of which events, as of when."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Label, and_, case, func, select, true
from sqlalchemy.dialects.postgresql import TSVECTOR

from projections.participants.table import (
    COLUMNS,
    participant_history,
    participants,
    participants_searched,
)

NAMES = [column.name for column in COLUMNS]
_SAME_IN_ALL_STATES = ("source", "participant_id", "first_position")


@dataclass(frozen=True, slots=True)
class Roster:
    """A source's roster: of all events (None) or some, as of now (None) or of a position."""

    source: str
    event_ids: tuple[str, ...] | None = None
    as_of: int | None = None

    @property
    def rows(self) -> FromClause:
        """The unfiltered rows, one per participant; add `sees(rows)`."""
        return participants_searched if self.as_of is None else _roster_at(self.source, self.as_of)

    def sees(self, rows: FromClause) -> ColumnElement[bool]:
        """Whether a row may be seen."""
        is_mine = rows.c.source == self.source
        return is_mine if self.event_ids is None else and_(is_mine, rows.c.event_id.in_(self.event_ids))


def shown(rows: FromClause) -> list[ColumnElement[Any]]:
    """What an answer shows of rows: the contract's columns in its order."""
    return [rows.c[name] for name in NAMES]


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
