"""Participants as lines of bytes, as PostgreSQL's COPY writes them: those of the file and those of the roster alike.

A line is a key and the compared values, with tabs between. Where both sides write a participant alike, as nearly
everywhere, their lines are equal, and nothing has to be taken apart.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from ingest.delivery import LONGEST_NAME
from projections.roster.export.guard import unguarded
from projections.truth.matching import KeyOf
from projections.truth.tabbed import FileRow, RowPart, TabbedRows, rows_of

_ESCAPES = {"\\": r"\\", "\b": r"\b", "\t": r"\t", "\n": r"\n", "\v": r"\v", "\f": r"\f", "\r": r"\r"}
_WRITTEN = str.maketrans(_ESCAPES)
_READ = {escape[1]: letter for letter, escape in _ESCAPES.items()}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = (b"\b", b"\v", b"\f", b"\r", b"\\", b"\0")  # letters that COPY escapes, and one that no column holds
_may_be_guarded = re.compile(r"""'['" ]*[=@+\-\t\r\n\uff1d\uff20\ufe66\ufe6b\uff0b\uff0d\ufe62\ufe63]""").search


@dataclass(frozen=True, slots=True)
class RowForm:
    """How rows of so many cells become lines. `key_places`, `places`: of the cells of the key and of the values.

    `constants`: values that the file says of everybody, after the others. `guarded`: apostrophes before formulas are
    taken off. `is_plain_key`: the key is a cell as it stands. `other_days`: numbers of those `places` of which a cell
    may look like the roster's text and mean another day: a blank is put before it.
    """

    cells: int
    key_places: tuple[int, ...]
    key_of: KeyOf
    places: tuple[int, ...]
    constants: tuple[str, ...] = ()
    guarded: bool = False
    is_plain_key: bool = False
    other_days: frozenset[int] = frozenset()


@dataclass(slots=True)
class RowsRead:
    """What was seen while rows were read. `without_key`: the numbers of the rows, the headings being row 1."""

    rows: int = 0
    without_key: list[int] = field(default_factory=list)


def lines_of(parts: Iterable[RowPart], form: RowForm, seen: RowsRead) -> Iterator[list[bytes]]:
    """A line per row that has a key, in parts, from the rows in parts."""
    pick = _picker((*form.key_places, *form.places), form.cells)
    for part in parts:
        if pick is not None:
            part = [*map(pick, rows_of(part))]
        if form.other_days:
            part = [_told_apart(cells, form) for cells in rows_of(part)]
        seen.rows += len(part)
        lines = _all_plain(part, form) if form.is_plain_key else None
        if lines is None:
            numbered = enumerate(rows_of(part), seen.rows - len(part) + 2)
            lines = [line for number, cells in numbered if (line := _line(cells, number, form, seen))]
        yield lines


def _all_plain(part: RowPart, form: RowForm) -> list[bytes] | None:
    """The lines of some rows together; None if something may have to be looked at row by row."""
    if isinstance(part, TabbedRows):
        text, lines = part.text, part.lines
    else:
        text = "\n".join(map("\t".join, part)).encode()
        lines = text.split(b"\n")
        if len(lines) != len(part) or text.count(b"\t") != len(form.places) * len(part):
            return None  # a cell has a line break or a tab
    if any(letter in text for letter in _SPECIAL) or (b"'" in text and _may_be_guarded(text.decode()) is not None):
        return None
    keys = b"\t".join([line.split(b"\t", 1)[0] for line in lines]).decode().split("\t")
    if not all(keys) or [*map(str.strip, keys)] != keys or max(map(len, keys)) > LONGEST_NAME:
        return None
    end = written_line(("", *form.constants))
    return [line + end for line in lines]


def _told_apart(cells: FileRow, form: RowForm) -> FileRow:
    marked = {len(form.key_places) + number for number in form.other_days}
    return [f" {cell}" if cell and place in marked else cell for place, cell in enumerate(cells)]


def _line(cells: Sequence[str], number: int, form: RowForm, seen: RowsRead) -> bytes:
    """The line of one row; an empty one without a key."""
    if form.guarded:
        cells = [*map(unguarded, cells)]
    parts = len(form.key_places)
    key = form.key_of(cells[:parts])
    if not key:
        seen.without_key.append(number)
        return b""
    return written_line((key, *cells[parts:], *form.constants))


def written_line(cells: Sequence[str]) -> bytes:
    """A line of a key and values."""
    text = "".join(cells)
    if not text.isprintable() or "\\" in text:  # of what COPY escapes, the backslash alone is printable
        cells = [cell.translate(_WRITTEN) for cell in cells]
    return ("\t".join(cells) + "\n").encode()


def _picker(places: tuple[int, ...], cells: int) -> Callable[[FileRow], FileRow] | None:
    """Gives the cells at some places, of which there is one at least; None if these are all `cells` of a row."""
    if places == tuple(range(cells)):
        return None
    return itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1))


def cells_of(line: bytes) -> list[str]:
    """The key and the values of a line."""
    text = line.decode().removesuffix("\n")
    cells = text.split("\t")
    if "\\" not in text:
        return cells
    return [_ESCAPED.sub(lambda match: _READ.get(match[1], match[1]), cell) for cell in cells]


def key_of_line(line: bytes) -> bytes:
    """The key of a line as it is written there."""
    return line.split(b"\t", 1)[0].removesuffix(b"\n")
