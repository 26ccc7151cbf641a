"""The key of a text: what search, order and comparison go by, the same on every server and every Python. Pure.

A key has no case, accents, width or invisible letters, one apostrophe, one hyphen, one blank where there are several.
It is made letter by letter, by the table of `letters.txt`; the function `reporting.text_key` does the same in SQL.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from operator import itemgetter
from typing import NamedTuple

from projections.participants.fields import COLUMN_NAMES

LONGEST_KEY = 100  # letters of a key: what an index holds of a text
CUT = "…"  # ends a word of which the key has only the beginning; divides words, so that no whole word has it
KEYED = ("last_name", "first_name", "email", "team", "bib")
KEY_COLUMNS = (*(f"{column}_key" for column in KEYED), "bib_number", "words")
_THEMSELVES = {number: number for number in range(1, 0x3100)}  # a letter that is not in a table costs thrice as much
_is_plain = re.compile(r"[A-Za-z0-9]+(?: [A-Za-z0-9]+)*").fullmatch  # words with one blank between
_NO_LETTERS = re.compile("[^a-z0-9]+")  # of a key that is ASCII
_JOINING = str.maketrans("", "", "'·")
_JOINED = re.compile("['·]")
_NUMBER = re.compile("[0-9]+")
_DIGITS = "0123456789"
_MOST_DIGITS = 18  # of a number that PostgreSQL's bigint holds
_NO_BIB = ("", "", "")
_FIRST_SYLLABLE, _LAST_SYLLABLE, _VOWELS, _FINALS = 0xAC00, 0xD7A3, 21, 28

_keyed_values = itemgetter(*map(COLUMN_NAMES.index, KEYED))


@cache
def letters_text() -> str:
    """The table as it is written, which is part of the roster's definition."""
    return files("projections.participants").joinpath("letters.txt").read_text(encoding="utf-8")


class Run(NamedTuple):
    """A line of the table: what it says of the letters from `first` to `last`.

    `how`: each "is" the text `keys`, each is another one counted "from" the letter `keys`, or it "divides" words.
    """

    first: int
    last: int
    how: str
    keys: str

    @property
    def letters(self) -> range:
        return range(self.first, self.last + 1)


def runs() -> Iterator[Run]:
    """The lines of the table."""
    for line in letters_text().splitlines()[1:]:
        letters, how, *keys = line.split(" ")
        first, _, last = letters.partition("-")
        yield Run(int(first, 16), int(last or first, 16), how, "".join(chr(int(key, 16)) for key in keys))


@cache
def letter_keys() -> Mapping[int, str]:
    """What each letter becomes; a letter that is not in it stays as it is."""
    keys = dict(_syllables())
    for run in runs():
        if run.how == "is":
            keys.update(dict.fromkeys(run.letters, run.keys))
        elif run.how == "from":
            keys.update((letter, chr(ord(run.keys) + step)) for step, letter in enumerate(run.letters))
    return keys


def _syllables() -> Iterator[tuple[int, str]]:
    """The syllables of Hangul, each as its two or three parts: 11,172 lines that the table need not have."""
    for number in range(_LAST_SYLLABLE + 1 - _FIRST_SYLLABLE):
        rest, final = divmod(number, _FINALS)
        first, vowel = divmod(rest, _VOWELS)
        parts = chr(0x1100 + first) + chr(0x1161 + vowel)
        yield _FIRST_SYLLABLE + number, parts + chr(0x11A7 + final) if final else parts


def whole_key(text: str) -> str:
    """The key of a text, of any length."""
    return text_key(text, None)


def text_key(text: str, longest: int | None = LONGEST_KEY) -> str:
    """The key of a text as it is kept, compared and sorted by."""
    if text.isascii():
        if text.isprintable() and " " not in text and "`" not in text:  # as nearly all e-mail addresses are
            return text.lower()[:longest]
        return " ".join(text.lower().replace("`", "'").split())[:longest]
    return " ".join(filter(None, text.translate(_folding()).split(" ")))[:longest]


def words_of(key: str) -> list[str]:
    """The words of a key, divided at punctuation, signs and blanks."""
    return (_NO_LETTERS.sub(" ", key) if key.isascii() else key.translate(_dividing())).split()


def joined_words_of(key: str) -> list[str]:
    """The words of a key whose apostrophes are left out: O'Brien is searched as Obrien too, Gal·la as Galla."""
    return words_of(key.translate(_JOINING))


@cache
def _folding() -> Mapping[int, int | str]:
    return {**_THEMSELVES, **letter_keys()}


@cache
def _dividing() -> Mapping[int, int | str]:
    dividers = (letter for run in runs() if run.how == "divides" for letter in run.letters)
    return {**_THEMSELVES, **dict.fromkeys(dividers, " ")}


def bib_keys(key: str) -> tuple[str, str]:
    """By which a bib is sorted, and the number that it is as PostgreSQL reads it, from the bib's key.

    The order is 9, 010, 10, 12A, A9, A10. The number is empty for a bib that is none, or a very long one.
    """
    if not (key.isascii() and key.isdigit()):
        return _NUMBER.sub(lambda number: _by_value(number[0]), key)[:LONGEST_KEY], ""
    digits = key.lstrip("0") or "0"
    return _by_length(digits), digits if len(digits) <= _MOST_DIGITS else ""


def _by_value(number: str) -> str:
    return _by_length(number.lstrip("0") or "0")


def _by_length(digits: str) -> str:
    return chr(ord("0") + len(digits)) + digits


def row_keys(values: Sequence[str]) -> tuple[str, ...]:
    """The keys of a participant, for the columns of `KEY_COLUMNS`, from the values of the declared columns."""
    last_name, first_name, email, team, bib = _keyed_values(values)
    last_name, last_words = _key_and_words(last_name)
    first_name, first_words = _key_and_words(first_name)
    team, team_words = _key_and_words(team)
    bib, number, bib_words = _bib_and_words(bib)
    words = f"{last_words}{first_words}{team_words}{bib_words}"
    return last_name, first_name, text_key(email), team, bib, number, words


def _any_key_and_words(text: str) -> tuple[str, str]:
    """The key, and its words as PostgreSQL reads a `tsvector`: quotes and backslashes divide words, so none has one."""
    if len(text) <= LONGEST_KEY and _is_plain(text):  # as most names are
        key = text.lower()
        return key, "'" + key.replace(" ", "' '") + "' "
    whole = whole_key(text)
    key = whole[:LONGEST_KEY]
    words = _kept_words(words_of, key, whole)
    if _JOINED.search(whole[: LONGEST_KEY + 1]):
        words += _kept_words(joined_words_of, key, whole)
    return key, "".join(f"'{word}' " for word in words)


def _kept_words(divided: Callable[[str], list[str]], key: str, whole: str) -> list[str]:
    """The words of a key; the last one is marked if the key was cut in the middle of it."""
    words = divided(key)
    if len(key) == len(whole) or words == divided(whole)[: len(words)]:
        return words
    return [*words[:-1], words[-1] + CUT]


# Names and teams come again and again; bibs mostly not.
_key_and_words = lru_cache(16_384)(_any_key_and_words)


def _bib_and_words(text: str) -> tuple[str, str, str]:
    if not text:
        return _NO_BIB
    if len(text) <= _MOST_DIGITS and text.isascii():  # nearly all are such as 47 and A47, half as quick below
        letters = text.rstrip(_DIGITS)
        number = text[len(letters) :]
        if number and number[0] != "0" and (not letters or letters.isalpha()):
            letters = letters.lower()
            return letters + _by_length(number), "" if letters else number, f"'{letters}{number}' "
    key, words = _any_key_and_words(text)
    return *bib_keys(key), words
