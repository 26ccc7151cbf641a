"""The table that an export writes: its columns, under which titles, and the statement of its rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, select, true
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from projections.participants.fields import ANSWERS
from projections.roster.criteria import Criteria
from projections.roster.export import answers
from projections.roster.export.answers import AnswerColumn
from projections.roster.export.files import DoesNotFit
from projections.roster.order import Order
from projections.roster.participant_json import EVERYTHING, written_answers
from projections.roster.questions import chosen_questions, narrowed, questions_of
from projections.roster.roster import Roster
from projections.roster.shown import Shown
from projections.roster.where import conditions

_Column = ColumnElement[Any]
_MOST_COLUMNS = 1_600  # PostgreSQL selects no more at once


@dataclass(frozen=True, slots=True)
class ExportTable:
    """`columns`: by their titles, in their order. `titled`: so many of them, the last ones, are called by questions.

    `origin`, `is_shown`, `order`: the rows.
    """

    columns: tuple[tuple[str, _Column], ...]
    titled: int
    origin: FromClause
    is_shown: ColumnElement[bool]
    order: tuple[_Column, ...]

    @property
    def titles(self) -> list[tuple[str, TypeEngine[Any]]]:
        """The title and the type of each column."""
        return [(title, column.type) for title, column in self.columns]

    @property
    def own(self) -> tuple[tuple[str, _Column], ...]:
        """The columns that the roster itself names."""
        return self.columns[: len(self.columns) - self.titled]

    def rows(self, as_: Callable[[_Column], _Column]) -> Select[Any]:
        """The statement of all rows, each column mapped by `as_`.

        Those called by questions have numbers instead: a title may be longer than a name of PostgreSQL's.
        """
        names = [title for title, _ in self.own] + [column_name(number) for number in range(self.titled)]
        columns = (as_(column).label(name) for name, (_, column) in zip(names, self.columns, strict=True))
        return select(*columns).select_from(self.origin).where(self.is_shown).order_by(*self.order)


def column_name(number: int) -> str:
    """The name in the statement of a column that is called by a question."""
    return f"column_{number}"


async def table_of(
    connection: AsyncConnection,
    roster: Roster,
    criteria: Criteria,
    shown: Shown,
    form: str | None,
    questions: Sequence[str] | None = None,
) -> ExportTable:
    """The table of an export. `form`: of the answers, as the parameter names it. `questions`: of these alone.

    Raises `DoesNotFit`, `ParameterRefused`.
    """
    table = roster_table(roster, criteria, shown)
    if form is None:
        return table
    of_events = narrowed(roster, criteria)
    asked = await chosen_questions(connection, of_events, await questions_of(connection, of_events), questions)
    if form == "rows":
        given = answers.answer_rows(
            table.origin, roster.source, roster.answers, asked, only_these=questions is not None
        )
        more = [(name, given.c[name]) for name in ("question_id", "question", "answer")]
        return replace(
            table,
            columns=(*table.columns, *more),
            origin=table.origin.join(given, true()),
            order=(*table.order, given.c.place),
        )
    taken = [title for title, _ in table.columns]
    cells = answers.as_columns(asked, taken)
    if form == "one-hot":
        cells = await answers.as_one_hot(connection, of_events, asked, taken)
    return _with_cells(table, roster, cells) if cells else table


def roster_table(roster: Roster, criteria: Criteria, shown: Shown = EVERYTHING) -> ExportTable:
    """The table of participants, without their answers by question."""
    rows = roster.rows
    columns: list[tuple[str, _Column]] = [(name, rows.c[name]) for name in shown.columns]
    if shown.has_answers:
        columns.append((ANSWERS, written_answers(rows, roster.source, roster.answers)))
    order = Order(rows, criteria.sort).all
    return ExportTable(tuple(columns), 0, rows, conditions(roster, rows, criteria), order)


def _with_cells(table: ExportTable, roster: Roster, cells: Sequence[AnswerColumn]) -> ExportTable:
    number = len(table.columns) + len(cells)
    if number > _MOST_COLUMNS:
        raise DoesNotFit(
            f"the table would have {number} columns, {len(cells)} of them for answers, and the most is "
            f"{_MOST_COLUMNS}: filter by event_id, or take answers=rows"
        )
    given = answers.pivot(table.origin, roster.source, roster.answers, cells)
    more = ((cell.title, given.c[answers.name_of_cell(index)]) for index, cell in enumerate(cells))
    return replace(table, columns=(*table.columns, *more), titled=len(cells), origin=table.origin.join(given, true()))
