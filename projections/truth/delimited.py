"""Reads CSV as programs write it: with any separator, as Excel does by the language of its user."""

import csv
import re
from collections.abc import Iterator
from io import SEEK_END, TextIOWrapper
from pathlib import Path
from typing import NamedTuple

from projections.truth.conclusion import NothingConcluded
from projections.truth.decoding import open_text

_SEPARATORS = ",;\t|"
_LONGEST_CELL = 1_000_000  # characters: a quote that is never closed must not fill the memory
_QUOTED = re.compile(r'"[^"]*"?')
_SAID = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)  # Excel's own line before the headings

CsvRow = list[str]
_LETTERS_AT_A_TIME = 16_384  # of a part: some hundred rows


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
    with open_text(path, form.encoding) as text:
        records = _Records(path, text, form)
        return tuple(heading.strip() for heading in records.first())


def delimited_parts(path: Path, form: CsvForm) -> Iterator[list[CsvRow]]:
    """The rows below the headings in parts, each row as long as these; blank ones are left out.

    Raises `NothingConcluded`.
    """
    short = 0  # cells of the row before, if they were too few
    with open_text(path, form.encoding) as text:
        records = _Records(path, text, form)
        number = len(records.first())
        while part := records.part():
            if {*map(len, part)} == {number} and all(map(any, part)):
                short = 0
            else:
                part, short = _mended(path, part, number)
            yield part
    if short and not _ends_a_line(path):
        raise NothingConcluded(
            f"{path} ends within its last row, after {short} of {number} cells: is it whole? Export it again"
        )


class _Records:
    """The records of an open file. Where there is no quote, a record is a line, which is split in half of the time."""

    def __init__(self, path: Path, text: TextIOWrapper, form: CsvForm) -> None:
        csv.field_size_limit(_LONGEST_CELL)
        self._path, self._text, self._separator = path, text, form.separator
        self._lines: list[str] = []  # those to be read next, the last one first
        self._reader = csv.reader(self._each_line(), delimiter=form.separator, strict=True)
        if form.says_so:
            text.readline()

    def first(self) -> CsvRow:
        """The first record; an empty one if there is none."""
        self._lines = [line] if (line := self._text.readline()) else []
        return self._read_quoted()[0] if self._lines else []

    def part(self) -> list[CsvRow]:
        """The next records; an empty list at the end."""
        lines = self._text.readlines(_LETTERS_AT_A_TIME)
        if any('"' in line for line in lines):
            self._lines = lines[::-1]
            return self._read_quoted()
        separator = self._separator
        return [line.rstrip("\r\n").split(separator) for line in lines]

    def _read_quoted(self) -> list[CsvRow]:
        """The records that begin in the lines; the last one may end beyond these."""
        records = []
        try:
            while self._lines:
                records.append(next(self._reader))
        except csv.Error as error:
            raise NothingConcluded(f"{self._path} is no whole CSV ({error}): is it whole? Export it again") from None
        return records

    def _each_line(self) -> Iterator[str]:
        while line := self._lines.pop() if self._lines else self._text.readline():
            yield line


def _mended(path: Path, part: list[CsvRow], number: int) -> tuple[list[CsvRow], int]:
    """Rows of so many cells, without blank ones; and how many cells the last row had, if they were too few."""
    rows = [row for row in part if any(row)]
    long = next((row for row in rows if any(row[number:])), None)
    if long is not None:
        raise NothingConcluded(f"{path} has a row of {len(long)} cells under {number} headings: mend it")
    short = len(rows[-1]) if rows and len(rows[-1]) < number else 0
    # Excel leaves empty cells at a row's end out.
    return [[*row[:number], *[""] * (number - len(row))] for row in rows], short


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, SEEK_END)
        file.seek(max(file.tell() - 2, 0))
        return file.read().rstrip(b"\0").endswith((b"\n", b"\r"))
