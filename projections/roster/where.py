"""Criteria as conditions on the rows of a roster, written so that PostgreSQL can use the indexes."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Integer, Text, and_, exists, func, literal, or_, tuple_

from projections.roster.criteria import AnswerFilter, Criteria, Filter
from projections.roster.roster import Roster

_SORTED_AS_TEXT = ("last_name", "first_name", "email")
_LAST_LETTER = 0x10FFFF  # the last code point: a word followed by it is the upper bound of all that begin with the word
_INDEXED_LETTERS = 100  # how much of an answer is in the index


def conditions(roster: Roster, rows: FromClause, criteria: Criteria) -> ColumnElement[bool]:
    """The condition that rows are on the roster and meet the criteria."""
    all_of = [roster.sees(rows)]
    all_of += [_condition(rows, filter_) for filter_ in criteria.filters]
    if criteria.words is not None:
        all_of.append(has_words(rows, criteria.words))
    all_of += [_answered(roster, rows, filter_) for filter_ in criteria.answers]
    return and_(*all_of)


def has_words(rows: FromClause, words: str) -> ColumnElement[bool]:
    """Whether each word (separated by blanks) begins a word of the row, or its e-mail."""
    return and_(*(_has_word(rows, word) for word in words.split()))


def has_words_by_index(rows: FromClause, source: str, words: str) -> ColumnElement[bool]:
    """`has_words` for one source, as two index scans per word (words, e-mail), combined before any row is read.

    PostgreSQL combines scans only if they share no condition: so the source is part of each range of e-mails, and no
    other condition may name it. The words also match rows of other sources: the caller filters them out afterwards.
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
    """What a column is sorted by: itself; for names and e-mail without case and accents; for the bib its key."""
    name = column.name
    if name in _SORTED_AS_TEXT:
        return func.sort_key(column, type_=Text()).collate("C")
    return func.bib_key(column, type_=Text()).collate("C") if name == "bib" else column


def _condition(rows: FromClause, filter_: Filter) -> ColumnElement[bool]:
    column: ColumnElement[Any] = rows.c[filter_.column]
    value: Any = filter_.value
    if isinstance(column.type, Integer) and filter_.operator != "isnull":  # a number may not fit the column's type
        value = [_number(number) for number in value] if filter_.operator == "in" else _number(value)
    return _OPERATORS[filter_.operator](column, value)


def _number(value: int) -> ColumnElement[int]:
    return literal(value, BigInteger())


def _is(column: ColumnElement[Any], value: object) -> ColumnElement[bool]:
    # Equal values have equal keys, and the keys have an index.
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
    condition: ColumnElement[bool] = func.starts_with(column, value)
    if column.name in _SORTED_AS_TEXT and value.isascii():  # beyond ASCII, a prefix's key need not begin the text's key
        return and_(condition, func.starts_with(key_of(column), func.sort_key(value).collate("C")))
    return condition


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
            return ~exists().where(*of_participant, *is_answer(answers, filter_))
        case _:
            return exists().where(*of_participant, *is_answer(answers, filter_))


def is_question(answers: FromClause, filter_: AnswerFilter) -> list[ColumnElement[bool]]:
    """The conditions that an answer is to one of the questions that are meant."""
    assert filter_.keys is not None, "questions.resolved asks the roster for them"  # noqa: S101
    return [answers.c.question_key.in_(filter_.keys)]


def is_answer(answers: FromClause, filter_: AnswerFilter) -> list[ColumnElement[bool]]:
    """The conditions that an answer is the text of a filter, or one of its texts."""
    column = answers.c.answer
    texts = filter_.value if isinstance(filter_.value, tuple) else (filter_.value,)
    begins = sorted({str(text)[:_INDEXED_LETTERS] for text in texts})
    return [column.in_(texts), func.left(column, _INDEXED_LETTERS).in_(begins)]
