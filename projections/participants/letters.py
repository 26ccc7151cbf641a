"""Prints the table of letters by which keys are made: `python -m projections.participants.letters`.

`letters.txt` is its output, of the Unicode version that its first line names; what runs reads that file alone, since
every version of Python brings another version of Unicode. Another table is another definition of the roster.
"""

import re
import sys
import unicodedata
from collections.abc import Iterator
from itertools import groupby

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
# A letter with a stroke, a hook or the like, for which Unicode has no decomposition.
_WITH = re.compile(r"(?P<base>(?:LATIN|CYRILLIC) SMALL LETTER .+?) WITH ")


def key_of_letter(letter: str) -> str:
    """What a letter becomes, whatever stands beside it: without case, marks, width and form."""
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
    if category[0] == "M" or category == "Cf":
        return ""
    if category == "Pd":
        return "-"
    if category == "Nd":
        return str(unicodedata.digit(letter))
    other = letter.casefold() if letter.casefold() != letter else _base(letter)
    return letter if other == letter else "".join(map(key_of_letter, other))


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


def _runs(changed: list[tuple[str, str]]) -> Iterator[tuple[int, int, list[str]]]:
    """Neighbours with the same key, or with keys that are neighbours: the first, the last, the keys."""
    for _, same in groupby(_numbered(changed), key=lambda each: each[0]):
        run = [(letter, key) for _, letter, key in same]
        yield ord(run[0][0]), ord(run[-1][0]), [key for _, key in run]


def _numbered(changed: list[tuple[str, str]]) -> Iterator[tuple[int, str, str]]:
    number, before, way = 0, ("", ""), None
    for letter, key in changed:
        follows = bool(before[0]) and ord(letter) == ord(before[0]) + 1
        step = None
        if follows and key == before[1]:
            step = 0
        elif follows and len(key) == len(before[1]) == 1 and ord(key) == ord(before[1]) + 1:
            step = 1
        if step is None or way not in (None, step):
            number, way = number + 1, None
        else:
            way = step
        before = (letter, key)
        yield number, letter, key


def _range(first: int, last: int) -> str:
    return f"{first:X}" if first == last else f"{first:X}-{last:X}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in lines())
