"""Reads CSV as programs write it: with any separator, as Excel does by the language of its user."""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import SEEK_END, TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from projections.truth.conclusion import NothingConcluded
from projections.truth.decoding import open_text

if TYPE_CHECKING:
    from _csv import Reader as CsvReader  # which has no public name before Python 3.12

_SEPARATORS = ",;\t|"
_LONGEST_CELL = 1_000_000  # characters: a quote that is never closed must not fill the memory
_QUOTED = re.compile(r'"[^"]*"?')
_SAID = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)  # Excel's own line before the headings

CsvRow = list[str]
ROWS_AT_A_TIME = 500  # that are looked at together


class CsvForm(NamedTuple):
    """How a file of CSV is written. `says_so`: in a line before its headings."""

    encoding: str
    separator: str
    says_so: bool


def form_of(path: Path, encoding: str) -> CsvForm:
    """How a file of CSV is written, by its first line."""
    with open_text(path, encoding) as text:
        first = text.readline(_LONGEST_CELL)
    said = _SAID.fullmatch(first)
    if said is not None:
        return CsvForm(encoding, said[1], says_so=True)
    unquoted = _QUOTED.sub("", first)
    return CsvForm(encoding, max(_SEPARATORS, key=unquoted.count), says_so=False)


def headings_in(path: Path, form: CsvForm) -> tuple[str, ...]:
    """The headings, without the blanks around them. Raises `NothingConcluded`."""
    with open_text(path, form.encoding) as text, _whole(path, _reader(text, form)) as reader:
        return tuple(heading.strip() for heading in next(reader, []))


def delimited_parts(path: Path, form: CsvForm) -> Iterator[list[CsvRow]]:
    """The rows below the headings in parts, each row as long as these; blank ones are left out.

    Raises `NothingConcluded`.
    """
    short = 0  # cells of the row before, if they were too few
    with open_text(path, form.encoding) as text, _whole(path, _reader(text, form)) as reader:
        number = len(next(reader, []))
        while part := [*islice(reader, ROWS_AT_A_TIME)]:
            if {*map(len, part)} == {number} and all(map(any, part)):
                short = 0
            else:
                part, short = _mended(path, part, number)
            yield part
    if short and not _ends_a_line(path):
        raise NothingConcluded(
            f"{path} ends within its last row, after {short} of {number} cells: is it whole? Export it again"
        )


def _mended(path: Path, part: list[CsvRow], number: int) -> tuple[list[CsvRow], int]:
    """Rows of so many cells, without blank ones; and how many cells the last row had, if they were too few."""
    rows = [row for row in part if any(row)]
    long = next((row for row in rows if any(row[number:])), None)
    if long is not None:
        raise NothingConcluded(f"{path} has a row of {len(long)} cells under {number} headings: mend it")
    short = len(rows[-1]) if rows and len(rows[-1]) < number else 0
    # Excel leaves empty cells at a row's end out.
    return [[*row[:number], *[""] * (number - len(row))] for row in rows], short


def _reader(text: TextIOWrapper, form: CsvForm) -> "CsvReader":
    csv.field_size_limit(_LONGEST_CELL)
    if form.says_so:
        text.readline()
    return csv.reader(text, delimiter=form.separator, strict=True)


@contextmanager
def _whole(path: Path, reader: "CsvReader") -> Iterator["CsvReader"]:
    try:
        yield reader
    except csv.Error as error:
        where = f"line {reader.line_num}"
        raise NothingConcluded(f"{path} is no whole CSV at {where} ({error}): is it whole? Export it again") from None


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, SEEK_END)
        file.seek(max(file.tell() - 2, 0))
        return file.read().rstrip(b"\0").endswith((b"\n", b"\r"))
