"""Makes the rows that COPY wrote as CSV harmless in a spreadsheet: `guard` for each cell of the rows that need it.

Nearly no row does, and a file has a million of them. So many rows are looked at together, as bytes; only what may need
the guard is taken apart.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from projections.roster.export.guard import guarded, guarded_json

_SEPARATORS = b",;|\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"
_WIDE = re.compile(rb"\xef(?<=[,;|\t\n\r\x0b\x0c\x1c-\x1f\"' ]\xef)(?:\xbc[\x8b\x8d\x9d\xa0]|\xb9[\xa2\xa3\xa6\xab])")
_LINE_BREAKS = ((0xE2, "\u2028".encode()), (0xE2, "\u2029".encode()), (0xC2, "\x85".encode()))
# A chunk by the classes of its bytes: what may begin a formula, as "="; what separates; what may stand between them.
_CLASSES = bytes(
    ord("=") if byte in b"=@+-\t\n\r" else ord(",") if byte in _SEPARATORS else byte if byte in b"\" '" else ord("x")
    for byte in range(256)
)
# Begins with the byte that is rarest, since only that search is quick, and looks back from there: up to three quotes
# and blanks; after four of them, whatever was before.
_BEGINS = re.compile(
    rb"""=(?<=[=,"' ]=)(?:(?<=[=,]=)|(?<=[=,]["' ]=)|(?<=[=,]["' ]{2}=)|(?<=[=,]["' ]{3}=)|(?<=["' ]{4}=))"""
)
_BLANK = b"\t\n\r"  # harmless, unless a cell begins with it
_LEAD = b"\"' "
_TAB = ord("\t")
# What the first cell may begin with, before which nothing is.
_FIRST = (b"\t", b"=", b"@", b"+", b"-", b" ", b'"', b"'", b"\xef")


@dataclass(frozen=True, slots=True)
class RowGuard:
    """`separator`: of the file. `json_columns`: the places of the columns in JSON, from 0."""

    separator: str
    json_columns: frozenset[int]

    def guarded(self, rows: Sequence[bytes | memoryview]) -> bytes:
        """Rows as COPY wrote them, each with its line's end, as one piece of bytes that is harmless."""
        chunk = b"".join(rows)
        if not self._may_need_it(chunk):
            return chunk
        return b"".join(self._row(row) if self._may_need_it(row) else row for row in map(bytes, rows))

    def _may_need_it(self, chunk: bytes) -> bool:
        """False only if no cell of these rows can begin a formula, in any program."""
        if chunk[:1] in _FIRST:
            return True
        if b"\xef" in chunk and _WIDE.search(chunk):
            return True
        if any(first in chunk and line_break in chunk for first, line_break in _LINE_BREAKS):
            return True
        classes = chunk.translate(_CLASSES)
        plain, delimiter = _plain_cell(self.separator), ord(self.separator)
        counted = quotes = 0
        for match in _BEGINS.finditer(classes):
            place = match.start()
            begin, before = chunk[place], chunk[place - 1]
            if begin in _BLANK and before not in _LEAD and (begin != _TAB or before == _TAB):
                continue  # between lines, or after an empty cell
            if before != delimiter or not plain.match(chunk, place):
                return True
            quotes += classes.count(b'"', counted, place)
            counted = place
            if quotes % 2:  # within a cell, so it is no cell by itself
                return True
        return False

    def _row(self, row: bytes) -> bytes:
        cells = _cells(self.separator).findall(row.decode().removesuffix("\n"))
        # A program that separates elsewhere takes the row's first cell and all that follows it for one.
        safe = [place > 0 or len(cells) == 1 for place in range(len(cells))]
        guarded_cells = (self._cell(cell, place, is_plain_safe=safe[place]) for place, cell in enumerate(cells))
        return (self.separator.join(guarded_cells) + "\n").encode()

    def _cell(self, cell: str, place: int, *, is_plain_safe: bool) -> str:
        """A cell with its quotes, if it has any: what is added makes none necessary."""
        is_quoted = cell.startswith('"')
        text = cell[1:-1].replace('""', '"') if is_quoted else cell
        is_json = place in self.json_columns
        harmless = guarded_json(text) if is_json else guarded(text, is_plain_safe=is_plain_safe)
        if harmless == text:
            return cell
        return f'"{harmless.replace(chr(34), chr(34) * 2)}"' if is_quoted else harmless


@lru_cache
def _cells(separator: str) -> re.Pattern[str]:
    """Finds each cell of a row, with its quotes."""
    separator = re.escape(separator)
    return re.compile(rf'(?:\A|{separator})("[^"]*(?:""[^"]*)*"|[^{separator}]*)')


@lru_cache
def _plain_cell(separator: str) -> re.Pattern[bytes]:
    """Matches a number or a telephone number that is all of its cell, as `guard.is_plain` does, in fewer forms."""
    end = rf"(?=[{re.escape(separator)}\n])"
    return re.compile(rf"(?:\+\(?[0-9][0-9 ()/.\-]*|-[0-9]+(?:\.[0-9]+)?){end}".encode())
