"""Other ways to write a text, which a person who looks for it may use."""

import unicodedata

_PINNED = "14.0.0"  # the version of Unicode of the table of letters


def spellings(text: str) -> list[str]:
    """In upper case, in lower case, decomposed, composed, and with its accents taken off."""
    decomposed = unicodedata.normalize("NFD", text)
    bare = "".join(letter for letter in decomposed if not is_accent(letter))
    return [text.upper(), text.lower(), decomposed, unicodedata.normalize("NFC", text), bare]


def is_accent(letter: str) -> bool:
    """Whether words may do without this mark: accents, tones, nuktas, voicing, the points of Hebrew and Arabic.

    Not the vowel signs and finals with which words are spelled from India to Indonesia.
    """
    if unicodedata.category(letter) == "Me":
        return True
    if unicodedata.category(letter)[0] != "M" or unicodedata.name(letter).startswith(("BUGINESE", "TAI VIET")):
        return False
    place = unicodedata.combining(letter)
    return 0 < place < 9 or 9 < place < 37 or place in (107, 122) or place >= 200


def is_known(letter: str) -> bool:
    """Whether a letter is in Unicode for long enough: any Python knows it, and the table of letters does."""
    if unicodedata.unidata_version == _PINNED:
        return unicodedata.category(letter) not in ("Cn", "Cs")
    return unicodedata.ucd_3_2_0.category(letter) not in ("Cn", "Cs")
