"""The rows of the table `letter`: the letters by which `projections.participants.keys` makes keys, for SQL.

Another table of letters needs a version that deletes these rows and executes this again.
"""

from collections.abc import Iterator

from projections.participants.keys import dividers, letters


def insert_letters() -> str:
    """The statement that inserts them all."""
    return f"insert into letter (letter, key, divides) values {', '.join(_rows())}"  # noqa: S608 - our own table


def _rows() -> Iterator[str]:
    """As code points: a statement of ASCII alone has nothing to quote."""
    for number, key in letters().items():
        yield f"(chr({number}), {_text(key)}, false)"
    for number in sorted(dividers()):
        yield f"(chr({number}), chr({number}), true)"


def _text(key: str) -> str:
    return "||".join(f"chr({ord(letter)})" for letter in key) or "''"
