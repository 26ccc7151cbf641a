"""Other ways to write a text, which a person who looks for it may use."""

import unicodedata

_PINNED = "14.0.0"  # the version of Unicode of the table of letters


def spellings(text: str) -> list[str]:
    """In upper case, in lower case, decomposed, composed, and with its marks taken off."""
    decomposed = unicodedata.normalize("NFD", text)
    bare = "".join(letter for letter in decomposed if unicodedata.category(letter)[0] != "M")
    return [text.upper(), text.lower(), decomposed, unicodedata.normalize("NFC", text), bare]


def is_known(letter: str) -> bool:
    """Whether a letter is in Unicode for long enough: any Python knows it, and the table of letters does."""
    if unicodedata.unidata_version == _PINNED:
        return unicodedata.category(letter) not in ("Cn", "Cs")
    return unicodedata.ucd_3_2_0.category(letter) not in ("Cn", "Cs")
