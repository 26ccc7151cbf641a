"""Keeps spreadsheets from running a text as a formula, whatever separates cells for them; and takes it back. Pure.

A program that separates at a semicolon finds cells within the texts of a file that separates at commas. So a place is
looked at wherever a cell can begin: at the beginning of the text, and after each separator and line break in it. If a
formula would begin there, it gets an apostrophe before it. In JSON the character that begins it is written as its
`\\u` escape, so that the value stays the same.
"""

import re

_LINE_BREAKS = r"\n\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029"
_SEPARATORS = rf",;|\t{_LINE_BREAKS}"
# What begins a formula, or what a spreadsheet skips before one. The wide and small forms are read as the plain ones.
_SIGNS = "+\\-\uff0b\uff0d\ufe62\ufe63"
_BEGINNINGS = f"=@\uff1d\uff20\ufe66\ufe6b{_SIGNS}"
# Before it: the quotes of a cell, blanks that are trimmed; and apostrophes, so that one more can be told from none.
_LEAD = r"""(?='*[" ]*{})"""
_BEGIN = rf"(?:\A|(?<=[{_SEPARATORS}]))"
_AT_FIRST = r"\A"
_AFTER_ANOTHER = rf"(?<=[,;|{_LINE_BREAKS}])"


def _places(inserted: str) -> re.Pattern[str]:
    """The places before which an apostrophe belongs, each with `inserted` after it."""
    places = (
        _BEGIN + inserted + _LEAD.format(f"[{_BEGINNINGS}]"),
        _AT_FIRST + inserted + _LEAD.format(r"[\t\r\n]"),
        _AFTER_ANOTHER + inserted + _LEAD.format(r"\t"),
    )
    return re.compile("|".join(places))


_PLACES = _places("")
_GUARDED_PLACES = _places("'")
_DIGITS = "0-9\uff10-\uff19"
_NUMBER = rf"[{_SIGNS}](?:[{_DIGITS}]+(?:[.,][{_DIGITS}]*)?|[.,][{_DIGITS}]+)(?:[eE][+-]?[0-9]+)?"
_PHONE = rf"[+\uff0b](?=[^{_DIGITS}]*[{_DIGITS}])[{_DIGITS} ()/.\-\uff0d]+"
_PLAIN = re.compile(rf"{_NUMBER}|{_PHONE}")
_SUSPECT = re.compile(rf"[{_BEGINNINGS}\t\r\n]")  # most texts have none of these, and cost no more than this
_JSON_PLACES = re.compile(rf'(?P<lead>{_BEGIN}[" ]*)(?P<begins>[{_BEGINNINGS}])')
_JSON_NUMBER = re.compile(r", -[0-9.]+(?:[eE][+-]?[0-9]+)?(?=[,\]}]|\Z)")


def is_plain(text: str) -> bool:
    """Whether all of the text is a number with a sign, or a telephone number."""
    return _PLAIN.fullmatch(text) is not None


def begins_formula(text: str) -> bool:
    """Whether the text begins with a character of formulas. Numbers and telephone numbers with a sign do, too."""
    return _SUSPECT.match(text) is not None


def guarded(text: str, *, is_plain_safe: bool = True) -> str:
    """The text with an apostrophe before each formula in it. A number or a telephone number is left as it is.

    `is_plain_safe`: False where another program's cell goes on beyond the text, so that more than a number is in it.
    """
    if _SUSPECT.search(text) is None or (is_plain_safe and is_plain(text)):
        return text
    return _PLACES.sub("'", text)


def unguarded(text: str) -> str:
    """The text that `guarded` was given."""
    return _GUARDED_PLACES.sub("", text)


def guarded_json(text: str) -> str:
    """JSON of the same value, in which no cell can begin with a formula. It has to be written as `jsonb` writes it."""
    return _JSON_PLACES.sub(_escaped, text)


def _escaped(place: re.Match[str]) -> str:
    lead, begins = place["lead"], place["begins"]
    if lead == " " and _JSON_NUMBER.match(place.string, place.start() - 1):
        return lead + begins  # a number, not a text, after another one: it has no escape
    return f"{lead}\\u{ord(begins):04x}"
