"""Words of a search as conditions on the rows of a roster, written so that PostgreSQL can use the indexes.

A key has a hundred letters at most. Where it was cut in the middle of a word, a word of the search finds what is left
of that word; and a search that is all of a text finds it by the key.
"""

from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import ColumnElement, FromClause, and_, cast, func, literal, or_, text, tuple_
from sqlalchemy.dialects.postgresql import TSQUERY

from projections.participants.keys import CUT, LONGEST_KEY, joined_words_of, words_of
from projections.roster.criteria import words_in
from projections.roster.roster import Roster

_LAST_LETTER = chr(0x10FFFF)  # of all: a word followed by it is the upper bound of whatever begins with the word
_DIVIDED = ("last_name_key", "first_name_key", "team_key")  # the texts whose words are searched, beside bibs
_Condition = ColumnElement[bool]


def has_words(roster: Roster, rows: FromClause, key: str) -> _Condition:
    """Whether each word of a key begins a word of the row, or its e-mail where that is seen."""
    by_email = None if roster.mask else partial(func.starts_with, rows.c.email_key)
    return _has_words(rows, key, by_email, lambda name: rows.c[name] == key[:LONGEST_KEY])


def has_words_by_index(roster: Roster, rows: FromClause, key: str) -> _Condition:
    """`has_words`, as index scans per word (words, e-mail, texts that were cut), combined before any row is read.

    PostgreSQL combines scans only if they share no condition: so the source is part of each range of e-mails, and no
    other condition may name it. The words also match rows of other sources: the caller filters them out afterwards.
    """

    def is_whole(name: str) -> _Condition:
        return tuple_(rows.c.source, rows.c[name]) == tuple_(literal(roster.source), key[:LONGEST_KEY])

    by_email = None if roster.mask else partial(_begins_email_of, rows, roster.source)
    return _has_words(rows, key, by_email, is_whole)


def _has_words(
    rows: FromClause, key: str, by_email: Callable[[str], _Condition] | None, is_whole: Callable[[str], _Condition]
) -> _Condition:
    """`by_email`: whether a word begins the e-mail; None: that is not asked. `is_whole`: whether a text has the key."""
    has_each = and_(*(_has_word(rows, word, by_email) for word in words_in(key)))
    if len(key) <= LONGEST_KEY:
        return has_each
    texts = _DIVIDED if by_email is None else (*_DIVIDED, "email_key")
    return or_(has_each, *map(is_whole, texts))


def _has_word(rows: FromClause, word: str, by_email: Callable[[str], _Condition] | None) -> _Condition:
    begins_email = [] if by_email is None else [by_email(word[:LONGEST_KEY])]
    if "@" in word and begins_email:  # an address: not all people who have a word of it in their names
        return begins_email[0]
    ways = [[part[:LONGEST_KEY] for part in parts] for parts in _ways(word)]
    return or_(
        _match(rows, ways, _begins),
        *begins_email,
        and_(_was_cut(rows), _match(rows, ways, _begins_or_is_cut)),
    )


def _match(rows: FromClause, ways: Sequence[Sequence[str]], as_query: Callable[[str], str]) -> _Condition:
    query = " | ".join(" & ".join(map(as_query, parts)) for parts in ways)
    return rows.c.words.op("@@", is_comparison=True)(cast(query, TSQUERY))


def _begins(part: str) -> str:
    return f"'{part}':*"


def _begins_or_is_cut(part: str) -> str:
    """Also the beginnings of a part, as a key that ends in the middle of a word has them."""
    cut = (f"'{part[:letters]}{CUT}'" for letters in range(1, len(part) + 1))
    return f"({' | '.join([_begins(part), *cut])})"


def _ways(word: str) -> list[list[str]]:
    """The parts of a word between blanks, and those of it without its apostrophes, if these are others."""
    parts, joined = words_of(word), joined_words_of(word)
    return [parts] if parts == joined else [parts, joined]


def _was_cut(rows: FromClause) -> _Condition:
    """As the index of these has it, so that it is used."""
    return or_(*(func.length(rows.c[name]) == text(str(LONGEST_KEY)) for name in _DIVIDED))


def _begins_email_of(rows: FromClause, source: str, word: str) -> _Condition:
    key = tuple_(rows.c.source, rows.c.email_key)
    return and_(key >= tuple_(literal(source), word), key < tuple_(literal(source), word + _LAST_LETTER))
