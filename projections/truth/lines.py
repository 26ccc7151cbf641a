"""Participants as lines of bytes, as PostgreSQL's COPY writes them: those of the file and those of the roster alike.

A line is a key and the compared values, with tabs between. Where both sides write a participant alike, as nearly
everywhere, their lines are equal, and nothing has to be taken apart.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from projections.roster.export.guard import unguarded
from projections.truth.matching import KeyOf

_ESCAPES = {"\\": r"\\", "\b": r"\b", "\t": r"\t", "\n": r"\n", "\v": r"\v", "\f": r"\f", "\r": r"\r"}
_WRITTEN = str.maketrans(_ESCAPES)
_READ = {escape[1]: letter for letter, escape in _ESCAPES.items()}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_has_escapes = re.compile("[\b\n\v\f\r\\\\]").search


@dataclass(frozen=True, slots=True)
class RowForm:
    """How the rows of a file become lines. `key_places`, `places`: of the cells of the key and of the values.

    `constants`: values that the file says of everybody, after the others. `guarded`: apostrophes before formulas are
    taken off.
    """

    key_places: tuple[int, ...]
    key_of: KeyOf
    places: tuple[int, ...]
    constants: tuple[str, ...] = ()
    guarded: bool = False


@dataclass(slots=True)
class RowsRead:
    """What was seen while rows were read. `without_key`: the numbers of the rows, the headings being row 1."""

    rows: int = 0
    without_key: list[int] = field(default_factory=list)


def lines_of(rows: Iterator[list[str]], form: RowForm, seen: RowsRead) -> Iterator[bytes]:
    """A line per row that has a key."""
    parts, tabs = len(form.key_places), len(form.places) + len(form.constants)
    pick = _picker((*form.key_places, *form.places))
    key_of, constants, guarded = form.key_of, form.constants, form.guarded
    number = 0
    for number, row in enumerate(rows, 1):
        cells = pick(row)
        key = key_of(cells[:parts])
        line = "\t".join((key, *cells[parts:], *constants))
        if guarded and "'" in line:
            cells = [*map(unguarded, cells)]
            key = key_of(cells[:parts])
            line = "\t".join((key, *cells[parts:], *constants))
        if not key:
            seen.without_key.append(number + 1)
            continue
        if line.count("\t") != tabs or _has_escapes(line):
            line = "\t".join(cell.translate(_WRITTEN) for cell in (key, *cells[parts:], *constants))
        yield line.encode()
    seen.rows = number


def _picker(places: tuple[int, ...]) -> Callable[[list[str]], Sequence[str]]:
    """Gives the cells at some places, of which there is one at least."""
    return itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1))


def cells_of(line: bytes) -> list[str]:
    """The key and the values of a line."""
    text = line.decode()
    cells = text.split("\t")
    if "\\" not in text:
        return cells
    return [_ESCAPED.sub(lambda match: _READ.get(match[1], match[1]), cell) for cell in cells]


def key_of_line(line: bytes) -> bytes:
    return line.split(b"\t", 1)[0]
