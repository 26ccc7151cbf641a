"""Criteria as conditions on the rows of a roster, so that PostgreSQL can use its indexes where there are any."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Integer, Text, and_, exists, func, literal, or_, tuple_

from projections.participants.table import participant_answers
from projections.roster.criteria import Criteria, Filter
from projections.roster.roster import Roster

_SORTED_AS_TEXT = ("last_name", "first_name", "email")
_LAST_LETTER = 0x10FFFF  # of Unicode: all that begin with a word come before the word with it
_INDEXED_LETTERS = 100  # of an answer and of its question


class AnswersOfThePast(Exception):
    """The answers of superseded states are not kept as rows."""


def conditions(roster: Roster, rows: FromClause, criteria: Criteria) -> ColumnElement[bool]:
    """What rows must meet to be seen and found. Raises `AnswersOfThePast`."""
    found = [roster.sees(rows)]
    found += [_condition(rows, one) for one in criteria.filters]
    if criteria.words is not None:
        found.append(has_words(rows, criteria.words))
    if criteria.answers and roster.as_of is not None:
        raise AnswersOfThePast
    found += [_answered(roster, rows, question, answer) for question, answer in criteria.answers]
    return and_(*found)


def has_words(rows: FromClause, words: str) -> ColumnElement[bool]:
    """Whether for each of the words, as blanks divide them, there is one that begins with it, or the e-mail does."""
    return and_(*(_has_word(rows, word) for word in words.split()))


def has_words_by_index(rows: FromClause, source: str, words: str) -> ColumnElement[bool]:
    """The same of a source's people, for an index scan a word and way that are put together before any row is read.

    PostgreSQL puts scans together only if they share no condition: so the source is part of each range of e-mails, and
    nothing else may ask for it. Others' people are found by the words too.
    """
    return and_(*(or_(_in_words(rows, word), _begins_email_of(rows, source, word)) for word in words.split()))


def _has_word(rows: FromClause, word: str) -> ColumnElement[bool]:
    return or_(_in_words(rows, word), func.starts_with(key_of(rows.c.email), _key(word)))


def _in_words(rows: FromClause, word: str) -> ColumnElement[bool]:
    return rows.c.words.op("@@", is_comparison=True)(func.search_query(word))


def _begins_email_of(rows: FromClause, source: str, word: str) -> ColumnElement[bool]:
    begin = _key(word)
    end = begin.concat(func.chr(_LAST_LETTER))
    key = tuple_(rows.c.source, key_of(rows.c.email))
    return and_(key >= tuple_(literal(source), begin), key < tuple_(literal(source), end))


def _key(word: str) -> ColumnElement[str]:
    return func.sort_key(word, type_=Text()).collate("C")


def key_of(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """What a column is sorted by: itself, or what is left of a text without case and accents."""
    name = column.name
    if name in _SORTED_AS_TEXT:
        return func.sort_key(column, type_=Text()).collate("C")
    return func.bib_key(column, type_=Text()).collate("C") if name == "bib" else column


def _condition(rows: FromClause, one: Filter) -> ColumnElement[bool]:
    column: ColumnElement[Any] = rows.c[one.column]
    value: Any = one.value
    if isinstance(column.type, Integer) and one.operator != "isnull":  # a number may be larger than any in the column
        value = [_number(number) for number in value] if one.operator == "in" else _number(value)
    return _OPERATORS[one.operator](column, value)


def _number(value: int) -> ColumnElement[int]:
    return literal(value, BigInteger())


def _is(column: ColumnElement[Any], value: object) -> ColumnElement[bool]:
    # What is equal has equal keys, and those have an index.
    return and_(column == value, *_same_keys(column, [value]))


def _in(column: ColumnElement[Any], values: Sequence[object]) -> ColumnElement[bool]:
    return and_(column.in_(values), *_same_keys(column, values))


def _same_keys(column: ColumnElement[Any], values: Sequence[object]) -> list[ColumnElement[bool]]:
    key = key_of(column)
    if key is column:
        return []
    of_value = func.bib_key if column.name == "bib" else func.sort_key
    return [key.in_([of_value(value).collate("C") for value in values])]


def _startswith(column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = func.starts_with(column, value)
    if column.name in _SORTED_AS_TEXT and value.isascii():  # beyond it, keys of beginnings need not be beginnings
        return and_(found, func.starts_with(key_of(column), func.sort_key(value).collate("C")))
    return found


_OPERATORS: dict[str, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]] = {
    "eq": _is,
    "ne": lambda column, value: column.is_distinct_from(value),
    "in": _in,
    "isnull": lambda column, value: column.is_(None) if value else column.is_not(None),
    "startswith": _startswith,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
}


def _answered(roster: Roster, rows: FromClause, question: str, answer: str) -> ColumnElement[bool]:
    of = participant_answers.c
    return exists().where(
        of.source == roster.source,
        of.participant_id == rows.c.participant_id,
        of.question == question,
        of.answer == answer,
        func.left(of.question, _INDEXED_LETTERS) == question[:_INDEXED_LETTERS],
        func.left(of.answer, _INDEXED_LETTERS) == answer[:_INDEXED_LETTERS],
    )
