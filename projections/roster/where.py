"""Criteria as conditions on the rows of a roster, written so that PostgreSQL can use the indexes."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Integer, and_, cast, exists, func, literal, or_, tuple_
from sqlalchemy.dialects.postgresql import TSQUERY

from projections.participants.keys import KEYED, bib_keys, joined_words_of, text_key, words_of
from projections.roster.criteria import AnswerFilter, Criteria, Filter
from projections.roster.roster import Roster

_LAST_LETTER = chr(0x10FFFF)  # of all: a word followed by it is the upper bound of whatever begins with the word
_INDEXED_LETTERS = 100  # how much of an answer is in the index


def conditions(roster: Roster, rows: FromClause, criteria: Criteria) -> ColumnElement[bool]:
    """The condition that rows are on the roster and meet the criteria."""
    all_of = [roster.sees(rows)]
    all_of += [_condition(rows, filter_) for filter_ in criteria.filters]
    if criteria.words is not None:
        all_of.append(has_words(roster, rows, criteria.words))
    all_of += [_answered(roster, rows, filter_) for filter_ in criteria.answers]
    return and_(*all_of)


def has_words(roster: Roster, rows: FromClause, words: str) -> ColumnElement[bool]:
    """Whether each word (separated by blanks) begins a word of the row, or its e-mail where that is seen."""
    by_email = None if roster.mask else partial(func.starts_with, rows.c.email_key)
    return and_(*(_has_word(rows, word, by_email) for word in words.split(" ")))


def has_words_by_index(roster: Roster, rows: FromClause, words: str) -> ColumnElement[bool]:
    """`has_words`, as two index scans per word (words, e-mail), combined before any row is read.

    PostgreSQL combines scans only if they share no condition: so the source is part of each range of e-mails, and no
    other condition may name it. The words also match rows of other sources: the caller filters them out afterwards.
    """
    by_email = None if roster.mask else partial(_begins_email_of, rows, roster.source)
    return and_(*(_has_word(rows, word, by_email) for word in words.split(" ")))


def _has_word(
    rows: FromClause, word: str, by_email: Callable[[str], ColumnElement[bool]] | None
) -> ColumnElement[bool]:
    """`by_email`: whether a word begins the e-mail; None: that is not asked."""
    has_it = rows.c.words.op("@@", is_comparison=True)(cast(_search_query(word), TSQUERY))
    if by_email is None:
        return has_it
    # An address: not all people who have a word of it in their names.
    return by_email(word) if "@" in word else or_(has_it, by_email(word))


def _search_query(word: str) -> str:
    """What finds a word between blanks: its parts begin words, or all of it without its apostrophes does."""
    ways = dict.fromkeys(
        " & ".join(f"'{part}':*" for part in parts) for parts in (words_of(word), joined_words_of(word))
    )
    return " | ".join(ways)


def _begins_email_of(rows: FromClause, source: str, word: str) -> ColumnElement[bool]:
    key = tuple_(rows.c.source, rows.c.email_key)
    return and_(key >= tuple_(literal(source), word), key < tuple_(literal(source), word + _LAST_LETTER))


def key_of(rows: FromClause, column: str) -> ColumnElement[Any]:
    """What a column is sorted by: itself; names, e-mail, team and bib by their keys."""
    return rows.c[f"{column}_key" if column in KEYED else column]


def _condition(rows: FromClause, filter_: Filter) -> ColumnElement[bool]:
    column: ColumnElement[Any] = rows.c[filter_.column]
    value: Any = filter_.value
    if filter_.operator == "iexact":
        return key_of(rows, filter_.column) == text_key(value)
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
            return ~exists().where(*of_participant, *is_answer(answers, filter_))
        case _:
            return exists().where(*of_participant, *is_answer(answers, filter_))


def is_question(answers: FromClause, filter_: AnswerFilter) -> list[ColumnElement[bool]]:
    """The conditions that an answer is to one of the questions that are meant."""
    assert filter_.keys is not None, "questions.resolved asks the roster for them"  # noqa: S101
    return [answers.c.question_key.in_(filter_.keys)]


def is_answer(answers: FromClause, filter_: AnswerFilter) -> list[ColumnElement[bool]]:
    """The conditions that an answer is the text of a filter, or one of its texts."""
    texts = filter_.value if isinstance(filter_.value, tuple) else (filter_.value,)
    begins = sorted({str(text)[:_INDEXED_LETTERS] for text in texts})
    written = answers.c.get("written", answers.c.answer)  # the former is there behind a mask, and has the index
    return [answers.c.answer.in_(texts), func.left(written, _INDEXED_LETTERS).in_(begins)]
