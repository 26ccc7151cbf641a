"""Criteria as conditions on the rows of a roster, written so that PostgreSQL can use the indexes."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Integer, and_, exists, func, literal, select, tuple_

from projections.participants.keys import KEYED, bib_keys, text_key
from projections.roster.criteria import AnswerFilter, Criteria, Filter
from projections.roster.roster import Roster
from projections.roster.words import has_words

_INDEXED_LETTERS = 100  # how much of an answer is in the index


def conditions(roster: Roster, rows: FromClause, criteria: Criteria) -> ColumnElement[bool]:
    """The condition that rows are on the roster and meet the criteria."""
    all_of = [roster.sees(rows)]
    for filter_ in criteria.filters:
        if filter_.operator == "double":
            is_double = _has_double_bib(roster, rows, criteria)
            all_of.append(is_double if filter_.value is True else is_double.is_not(True))
        else:
            all_of.append(_condition(rows, filter_))
    if criteria.words is not None:
        all_of.append(has_words(roster, rows, criteria.words))
    all_of += [_answered(roster, rows, filter_) for filter_ in criteria.answers]
    return and_(*all_of)


def key_of(rows: FromClause, column: str) -> ColumnElement[Any]:
    """What a column is sorted by: itself; names, e-mail, team and bib by their keys."""
    return rows.c[f"{column}_key" if column in KEYED else column]


def _condition(rows: FromClause, filter_: Filter) -> ColumnElement[bool]:
    column: ColumnElement[Any] = rows.c[filter_.column]
    value: Any = filter_.value
    if filter_.operator == "iexact":
        key = text_key(value)
        return key_of(rows, filter_.column) == (bib_keys(key)[0] if filter_.column == "bib" else key)
    if filter_.column == "bib" and isinstance(value, int) and filter_.operator != "isnull":
        return _by_number(rows, filter_.operator, value)
    if isinstance(column.type, Integer) and filter_.operator != "isnull":  # a number may not fit the column's type
        value = [_number(number) for number in value] if filter_.operator == "in" else _number(value)
    by_key = _by_key(rows, filter_) if filter_.column in KEYED else []
    return and_(_OPERATORS[filter_.operator](column, value), *by_key)


def _number(value: int) -> ColumnElement[int]:
    return literal(value, BigInteger())


def _by_key(rows: FromClause, filter_: Filter) -> list[ColumnElement[bool]]:
    """What follows from a filter for the key, which has an index: equal texts have equal keys."""
    key, value = key_of(rows, filter_.column), filter_.value
    values = value if isinstance(value, tuple) else (value,)
    keys = [text_key(text) for text in values if isinstance(text, str)]
    if not keys or not all(keys):  # a text without a letter has no key
        return []
    if filter_.column == "bib":
        return [key.in_([bib_keys(text)[0] for text in keys])] if filter_.operator in ("eq", "in") else []
    if filter_.operator in ("eq", "in"):
        return [key.in_(keys)]
    return [func.starts_with(key, keys[0])] if filter_.operator == "startswith" else []


def _has_double_bib(roster: Roster, rows: FromClause, criteria: Criteria) -> ColumnElement[bool]:
    """Whether several participants of the row's event have its bib. An index has the bibs of each event in order."""
    others = roster.counted_rows.alias("others")
    bib = others.c.event_id, others.c.bib_key
    double = select(*bib).where(roster.sees(others), others.c.bib_key.is_not(None)).group_by(*bib)
    double = double.having(func.count() > 1)
    events = [each.value for each in criteria.filters if (each.column, each.operator) == ("event_id", "eq")]
    if not events:
        return tuple_(rows.c.event_id, rows.c.bib_key).in_(double)
    # One array, by which the index finds the participants, too.
    of_event = double.where(others.c.event_id == events[0]).with_only_columns(others.c.bib_key)
    return rows.c.bib_key == func.any(func.array(of_event.scalar_subquery()))


def _by_number(rows: FromClause, operator: str, value: int) -> ColumnElement[bool]:
    """A bib compared as a number. The keys of numbers have their order, and an index."""
    compare = _OPERATORS["eq" if operator == "number" else operator]
    condition = compare(rows.c.bib_number, _number(value))
    return and_(condition, compare(rows.c.bib_key, bib_keys(str(value))[0])) if value >= 0 else condition


_OPERATORS: dict[str, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column.is_distinct_from(value),
    "in": lambda column, value: column.in_(value),
    "isnull": lambda column, value: column.is_(None) if value else column.is_not(None),
    "startswith": func.starts_with,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
}


def _answered(roster: Roster, rows: FromClause, filter_: AnswerFilter) -> ColumnElement[bool]:
    """Whether a participant's answers to the questions meet a filter: one of several values is enough to be equal."""
    answers = roster.answers
    of_participant = [
        answers.c.source == roster.source,
        answers.c.participant_id == rows.c.participant_id,
        *is_question(answers, filter_),
    ]
    match filter_.operator:
        case "isnull":
            is_given = exists().where(*of_participant, answers.c.answer.is_not(None))
            return ~is_given if filter_.value is True else is_given
        case "ne":
            return ~exists().where(*of_participant, *is_answer(roster, answers, filter_))
        case _:
            return exists().where(*of_participant, *is_answer(roster, answers, filter_))


def is_question(answers: FromClause, filter_: AnswerFilter) -> list[ColumnElement[bool]]:
    """The conditions that an answer is to one of the questions that are meant."""
    assert filter_.keys is not None, "questions.resolved asks the roster for them"  # noqa: S101
    return [answers.c.question_key.in_(filter_.keys)]


def is_answer(roster: Roster, answers: FromClause, filter_: AnswerFilter) -> list[ColumnElement[bool]]:
    """The conditions that an answer is the text of a filter, or one of its texts."""
    texts = filter_.value if isinstance(filter_.value, tuple) else (filter_.value,)
    begins = sorted({str(text)[:_INDEXED_LETTERS] for text in texts})
    return [answers.c.answer.in_(texts), func.left(roster.written(answers), _INDEXED_LETTERS).in_(begins)]
