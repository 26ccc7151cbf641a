"""Prints the table of letters by which keys are made: `python -m projections.participants.letters`.

`letters.txt` is its output, of the Unicode version that its first line names; what runs reads that file alone, since
every version of Python brings another version of Unicode. Another table is another definition of the roster.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator

_SURROGATES = range(0xD800, 0xE000)
_HANGUL = range(0xAC00, 0xD7A4)  # syllables, whose parts `keys` computes
_BLANKS = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85"

# What people type instead of each other, or cannot type, and Unicode does not relate. By what it becomes.
_DECLARED = {
    "'": "`´‘’‚‛′‵ʹʻʼʽʾʿˈˊˋ՚׳᾽᾿῾Ꞌꞌߴߵ",
    '"': "“”„‟″‶ʺ״",
    "-": "−⁃",
    "": "ᅟᅠㅤﾠـ",  # fillers of Hangul, the tatweel of Arabic
    "i": "ıɩ", "j": "ȷ", "d": "ð", "th": "þ", "ae": "æ", "oe": "œ", "n": "ŋ", "k": "ĸ", "e": "əǝɛ", "o": "ɔɵ",
    "g": "ɣ", "u": "ʊ", "z": "ʒ",
    "ا": "ٱ", "ي": "ىی", "ك": "کڪ", "ه": "ةہھەۃ",
    "о": "ө", "у": "ү",
}  # fmt: skip
_INSTEAD = {letter: instead for instead, letters in _DECLARED.items() for letter in letters}
# Marks that are letters: in the scripts of India, Southeast Asia and Tibet words are spelled with them. Unicode's
# combining classes tell them from accents, tone marks, nuktas, and the points of Hebrew and Arabic, which words can do
# without: 0 most vowel signs and finals, 9 what takes a vowel away; 84, 91 Telugu, 103 Thai, 118 Lao, 129-132 Tibetan.
# These are also the marks that Unicode's collation compares as letters, but for finals such as the anusvara.
_SPELLING_CLASSES = {0, 9, 84, 91, 103, 118, 129, 130, 132}
_SPELLING = re.compile("BUGINESE VOWEL SIGN|TAI VIET (VOWEL|MAI KANG|MAI KHIT)")  # of the class of accents all the same
_WITHOUT_SHAPE = re.compile("SELECTOR|JOINER|FILLER|INHERENT")  # of these classes, and nobody sees them
# A letter with a stroke, a hook or the like, for which Unicode has no decomposition.
_WITH = re.compile(r"(?P<base>(?:LATIN|CYRILLIC) SMALL LETTER .+?) WITH ")


def key_of_letter(letter: str) -> str:
    """What a letter becomes, whatever stands beside it: without case, accents, width and form.

    Taken apart in two steps: first into the letters that it is made of, since one of these may be declared. The acute
    accent of Greek, U+1FFD, is the ordinary one, which becomes an apostrophe; both at once give a blank and a mark.
    """
    return "".join(
        _INSTEAD[part] if part in _INSTEAD else "".join(map(_folded, unicodedata.normalize("NFKD", part)))
        for part in unicodedata.normalize("NFD", letter)
    )


def _folded(letter: str) -> str:
    """The key of a letter that Unicode does not decompose."""
    category = unicodedata.category(letter)
    if letter in _INSTEAD:
        return _INSTEAD[letter]
    if category[0] == "Z" or letter in _BLANKS:
        return " "
    if category == "Cf" or (category[0] == "M" and not _spells(letter)):
        return ""
    if category == "Pd":
        return "-"
    if category == "Nd":
        return str(unicodedata.digit(letter))
    other = letter.casefold() if letter.casefold() != letter else _base(letter)
    return letter if other == letter else "".join(map(key_of_letter, other))


def _spells(mark: str) -> bool:
    """Whether a word with the mark is another word than the one without it."""
    name = unicodedata.name(mark, "")
    if unicodedata.combining(mark) not in _SPELLING_CLASSES:
        return _SPELLING.match(name) is not None
    return unicodedata.category(mark) != "Me" and _WITHOUT_SHAPE.search(name) is None


def _base(letter: str) -> str:
    name = _WITH.match(unicodedata.name(letter, ""))
    if name is None:
        return letter
    try:
        return unicodedata.lookup(name["base"])
    except KeyError:
        return letter


def divides(letter: str) -> bool:
    """Whether a letter of a key divides words: punctuation, signs, blanks, controls."""
    return unicodedata.category(letter)[0] in "PSZ" or unicodedata.category(letter) == "Cc"


def lines() -> Iterator[str]:
    """The table: letters that become a text, letters that become as many others in their order, what divides words."""
    letters = [chr(number) for number in range(1, sys.maxunicode + 1) if number not in _SURROGATES]
    keys = {letter: key_of_letter(letter) for letter in letters if ord(letter) not in _HANGUL}
    yield f"# Unicode {unicodedata.unidata_version}, by python -m projections.participants.letters"
    changed = [(letter, key) for letter, key in keys.items() if key != letter]
    for first, last, keys_of_run in _runs(changed):
        if len(set(keys_of_run)) == 1:
            yield f"{_range(first, last)} is {' '.join(f'{ord(letter):X}' for letter in keys_of_run[0])}".rstrip()
        else:
            yield f"{_range(first, last)} from {ord(keys_of_run[0]):X}"
    for first, last, _ in _runs([(letter, "") for letter, key in keys.items() if key == letter and divides(letter)]):
        yield f"{_range(first, last)} divides"


def _runs(changed: Iterable[tuple[str, str]]) -> Iterator[tuple[int, int, list[str]]]:
    """Runs of neighbours that one line says all of: the first letter, the last, the keys of all.

    The keys of a run are alike, `C0-C5 is 61` for À to Å, or follow each other as the letters do, `41-5A from 61` for
    A to Z.
    """
    run: list[tuple[str, str]] = []
    step: int | None = None  # from one key of the run to the next; None: there is only one so far
    for each in changed:
        next_step = _step(run[-1], each) if run else None
        if next_step is not None and step in (None, next_step):
            step = next_step
        else:
            yield from _ended(run)
            run, step = [], None
        run.append(each)
    yield from _ended(run)


def _step(before: tuple[str, str], each: tuple[str, str]) -> int | None:
    """How far the key of a letter is from that of its neighbour: 0 or 1; None: the letter begins another run."""
    (letter_before, key_before), (letter, key) = before, each
    if ord(letter) != ord(letter_before) + 1:
        return None
    if key == key_before:
        return 0
    return 1 if len(key) == len(key_before) == 1 and ord(key) == ord(key_before) + 1 else None


def _ended(run: list[tuple[str, str]]) -> Iterator[tuple[int, int, list[str]]]:
    if run:
        yield ord(run[0][0]), ord(run[-1][0]), [key for _, key in run]


def _range(first: int, last: int) -> str:
    return f"{first:X}" if first == last else f"{first:X}-{last:X}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in lines())
