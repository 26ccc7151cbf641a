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

_ESCAPES = {"\\": r"\\", "\b": r"\b", "\t": r"\t", "\n": r"\n", "\v": r"\v", "\f": r"\f", "\r": r"\r"}
_WRITTEN = str.maketrans(_ESCAPES)
_READ = {escape[1]: letter for letter, escape in _ESCAPES.items()}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = "\b\v\f\r\\\0"  # letters that COPY escapes, and one that no column holds
_may_be_guarded = re.compile(r"""'['" ]*[=@+\-\t\r\n\uff1d\uff20\ufe66\ufe6b\uff0b\uff0d\ufe62\ufe63]""").search


@dataclass(frozen=True, slots=True)
class RowForm:
    """How rows of so many cells become lines. `key_places`, `places`: of the cells of the key and of the values.

    `constants`: values that the file says of everybody, after the others. `guarded`: apostrophes before formulas are
    taken off. `is_plain_key`: the key is a cell as it stands.
    """

    cells: int
    key_places: tuple[int, ...]
    key_of: KeyOf
    places: tuple[int, ...]
    constants: tuple[str, ...] = ()
    guarded: bool = False
    is_plain_key: bool = False


@dataclass(slots=True)
class RowsRead:
    """What was seen while rows were read. `without_key`: the numbers of the rows, the headings being row 1."""

    rows: int = 0
    without_key: list[int] = field(default_factory=list)


def lines_of(parts: Iterable[list[list[str]]], form: RowForm, seen: RowsRead) -> Iterator[list[bytes]]:
    """A line per row that has a key, in parts, from the rows in parts."""
    pick = _picker((*form.key_places, *form.places), form.cells)
    end = "".join(f"\t{constant}" for constant in form.constants) + "\n"
    tabs = len(form.places) + len(form.constants)
    for rows in parts:
        part = rows if pick is None else [*map(pick, rows)]
        seen.rows += len(part)
        if form.is_plain_key and _are_plain_keys([cells[0] for cells in part]):
            text = end.join(map("\t".join, part)) + end
            if text.count("\t") == tabs * len(part) and not _is_special(text):
                lines = text.encode().splitlines(keepends=True)
                if len(lines) == len(part):  # no cell has a line break
                    yield lines
                    continue
        numbered = enumerate(part, seen.rows - len(part) + 2)
        yield [line for number, cells in numbered if (line := _line(cells, number, form, seen))]


def _is_special(text: str) -> bool:
    """Whether something in many lines may have to be looked at line by line."""
    return any(letter in text for letter in _SPECIAL) or ("'" in text and _may_be_guarded(text) is not None)


def _are_plain_keys(keys: list[str]) -> bool:
    """Whether each is an id as it stands."""
    return bool(keys) and all(keys) and [*map(str.strip, keys)] == keys and max(map(len, keys)) <= LONGEST_NAME


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


def written_line(cells: Iterable[str]) -> bytes:
    """A line of a key and values."""
    return ("\t".join(cell.translate(_WRITTEN) for cell in cells) + "\n").encode()


def _picker(places: tuple[int, ...], cells: int) -> Callable[[list[str]], Sequence[str]] | None:
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
