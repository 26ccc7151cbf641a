"""Reads CSV as programs write it: with any separator, as Excel does by the language of its user."""

import csv
import re
from collections.abc import Iterator, Sequence
from io import SEEK_END, StringIO
from pathlib import Path
from typing import NamedTuple

from projections.truth.conclusion import NothingConcluded
from projections.truth.decoding import Utf8Lines, open_text
from projections.truth.tabbed import FileRow, RowPart, TabbedRows, tabbed

_SEPARATORS = ",;\t|"
_LONGEST_CELL = 1_000_000  # characters: a quote that is never closed must not fill the memory
_QUOTED = re.compile(r'"[^"]*"?')
_SAID = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)  # Excel's own line before the headings

_BEGINNING = 1_048_576  # bytes
_BYTES_AT_A_TIME = 16_384  # of a part: some hundred rows


class CsvForm(NamedTuple):
    """How a file of CSV is written. `says_so`: in a line before its headings.

    `has_feeds`: its lines end with line feeds, not with carriage returns alone, as far as its beginning tells.
    """

    encoding: str
    separator: str
    says_so: bool
    has_feeds: bool


def form_of(path: Path, encoding: str) -> CsvForm:
    """How a file of CSV is written, by its first line."""
    with open_text(path, encoding) as text:
        first = text.readline(_LONGEST_CELL)
    said = _SAID.fullmatch(first)
    separator = max(_SEPARATORS, key=_QUOTED.sub("", first).count) if said is None else said[1]
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING).removesuffix(b"\r")
    has_feeds = b"\r" not in beginning.replace(b"\r\n", b"")
    return CsvForm(encoding, separator, says_so=said is not None, has_feeds=has_feeds)


def headings_in(path: Path, form: CsvForm) -> tuple[str, ...]:
    """The headings, without the blanks around them. Raises `NothingConcluded`."""
    with open_text(path, form.encoding) as text:
        records = _Records(path, Utf8Lines(text, has_feeds=form.has_feeds), form)
        return tuple(heading.strip() for heading in records.first())


def delimited_parts(path: Path, form: CsvForm) -> Iterator[RowPart]:
    """The rows below the headings in parts, each row as long as these; blank ones are left out.

    Raises `NothingConcluded`.
    """
    short = 0  # cells of the row before, if they were too few
    with open_text(path, form.encoding) as text:
        records = _Records(path, Utf8Lines(text, has_feeds=form.has_feeds), form)
        number = len(records.first())
        while part := records.part(number):
            short = 0
            if not isinstance(part, TabbedRows) and not _are_whole(part, number):
                part, short = _mended(path, part, number)
            yield part
    if short and not _ends_a_line(path):
        raise NothingConcluded(
            f"{path} ends within its last row, after {short} of {number} cells: is it whole? Export it again"
        )


class _Records:
    """The records of an open file. Where there is no quote, a record is a line."""

    def __init__(self, path: Path, read: Utf8Lines, form: CsvForm) -> None:
        csv.field_size_limit(_LONGEST_CELL)
        self._path, self._read, self._separator = path, read, form.separator
        self._lines: list[str] = []  # those to be read next, the last one first
        self._reader = csv.reader(self._each_line(), delimiter=form.separator, strict=True)
        if form.says_so:
            read.next()

    def first(self) -> FileRow:
        """The first record; an empty one if there is none."""
        self._lines = [line.decode()] if (line := self._read.next()) else []
        return self._read_quoted()[0] if self._lines else []

    def part(self, cells: int) -> RowPart:
        """The next records, most of which have so many cells; an empty list at the end."""
        block = self._read.block(_BYTES_AT_A_TIME)
        together = tabbed(block, self._separator.encode(), cells) if block else None
        if together is not None:
            return together
        lines = _lines_in(block)
        if b'"' in block:
            self._lines = lines[::-1]
            return self._read_quoted()
        return [line.rstrip("\r\n").split(self._separator) for line in lines]

    def _read_quoted(self) -> list[FileRow]:
        """The records that begin in the lines; the last one may end beyond these."""
        records: list[FileRow] = []
        try:
            while self._lines:
                records.append(next(self._reader))
        except csv.Error as error:
            raise NothingConcluded(f"{self._path} is no whole CSV ({error}): is it whole? Export it again") from None
        return records

    def _each_line(self) -> Iterator[str]:
        while self._lines or (block := self._read.next()):
            self._lines = self._lines or _lines_in(block)[::-1]
            yield self._lines.pop()


def _lines_in(block: bytes) -> list[str]:
    """Lines with their ends, whichever these are."""
    return StringIO(block.decode(), newline="").readlines()


def _are_whole(rows: Sequence[FileRow], number: int) -> bool:
    """Whether each row has so many cells, and something in one of them."""
    return {*map(len, rows)} == {number} and all(map(any, rows))


def _mended(path: Path, part: Sequence[FileRow], number: int) -> tuple[list[FileRow], int]:
    """Rows of so many cells, without blank ones; and how many the last row had, blank or not, if they were too few."""
    rows = [row for row in part if any(row)]
    long = next((row for row in rows if any(row[number:])), None)
    if long is not None:
        raise NothingConcluded(f"{path} has a row of {len(long)} cells under {number} headings: mend it")
    short = len(part[-1]) if len(part[-1]) < number else 0
    # Excel leaves empty cells at a row's end out.
    return [[*row[:number], *[""] * (number - len(row))] for row in rows], short


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, SEEK_END)
        file.seek(max(file.tell() - 2, 0))
        return file.read().rstrip(b"\0").endswith((b"\n", b"\r"))
