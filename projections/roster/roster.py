"""The roster that a question is about: its source, its events, and as of which position."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, case, select, true, union_all

from projections.participants.keys import KEY_COLUMNS
from projections.participants.table import (
    PARTICIPANT_COLUMNS,
    participant_answers,
    participant_history_keyed,
    participants_counted,
    participants_keyed,
    past_answers,
)
from projections.roster.mask import GIVEN, PERSONAL, Mask

NAMES = tuple(column.name for column in PARTICIPANT_COLUMNS)  # the columns of every answer, in the contract's order
_SAME_IN_ALL_STATES = ("source", "participant_id", "first_position")


@dataclass(frozen=True, slots=True)
class Roster:
    """A source's roster. `event_ids`: participants in these events, None: all. `as_of`: a log position, None: now.

    `mask`: through which it is seen; None: with personal data.
    """

    source: str
    event_ids: tuple[str, ...] | None = None
    as_of: int | None = None
    mask: Mask | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are seen, in the order of every answer."""
        return NAMES if self.mask is None else tuple(name for name in NAMES if name not in PERSONAL)

    @property
    def rows(self) -> FromClause:
        """The unfiltered rows, one per participant; add `sees(rows)`."""
        return participants_keyed if self.as_of is None else _roster_at(self.source, self.as_of)

    @property
    def counted_rows(self) -> FromClause:
        """The same rows without their attributes: counting them may need no more than an index."""
        return participants_counted if self.as_of is None else self.rows

    @property
    def answers(self) -> FromClause:
        """The unfiltered answers, one row per participant, question and value; add `sees(answers)`."""
        return self.seen(participant_answers if self.as_of is None else _answers_at(self.source, self.as_of))

    def seen(self, answers: FromClause) -> FromClause:
        """Answers as they are seen on this roster."""
        return answers if self.mask is None else self.mask.masked(answers)

    def written(self, answers: FromClause) -> ColumnElement[Any]:
        """Of `self.answers`: each as it was given, hidden ones too. Only for a condition beside one on the seen answer.

        The index of answers has what was given: a condition on the seen answer alone would read all of a question.
        Whatever is counted or shown by it would tell a reader without personal data what the mask hides.
        """
        return answers.c.answer if self.mask is None else answers.c[GIVEN]

    def sees(self, rows: FromClause) -> ColumnElement[bool]:
        """The condition that a row is of this roster's source and events."""
        of_source = rows.c.source == self.source
        return of_source if self.event_ids is None else and_(of_source, rows.c.event_id.in_(self.event_ids))


def _answers_at(source: str, position: int) -> FromClause:
    """The answers as they were at a position: of newest states that were there already, and of superseded states."""
    names = [column.name for column in participant_answers.c]
    newest, past = participant_answers.alias(), past_answers.alias()
    of_newest = select(*(newest.c[name] for name in names)).where(
        newest.c.source == source, newest.c.position <= position
    )
    of_past = select(*(past.c[name] for name in names)).where(
        past.c.source == source, past.c.position <= position, past.c.until_position > position
    )
    return union_all(of_newest, of_past).subquery()


def _roster_at(source: str, position: int) -> FromClause:
    """The roster as it was at a position: per participant the state at that time, by one lookup in the history.

    Each of its participants also has a newest state, so the cost grows with the roster's size and not with the log's.
    Source and id come from the newest state, so that filters on them use its index and a page's limit ends the scan.
    """
    newest, earlier = participants_keyed.alias(), participant_history_keyed.c
    past = (
        select(participant_history_keyed)
        .where(
            newest.c.position > position,
            earlier.source == source,
            earlier.participant_id == newest.c.participant_id,
            earlier.position <= position,
        )
        .order_by(earlier.position.desc())
        .limit(1)
        .lateral()
    )

    def column(name: str) -> ColumnElement[Any]:
        if name in _SAME_IN_ALL_STATES:
            return newest.c[name]
        return case((newest.c.position <= position, newest.c[name]), else_=past.c[name]).label(name)

    return (
        select(*map(column, ("source", *NAMES, *KEY_COLUMNS)))
        .select_from(newest.join(past, true(), isouter=True))
        .where(newest.c.source == source, newest.c.first_position <= position)
        .subquery()
    )
