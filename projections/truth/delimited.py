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
        return tuple(heading.strip() for heading in next(_records(path, text, form), []))


def delimited_rows(path: Path, form: CsvForm) -> Iterator[CsvRow]:
    """The rows below the headings, each as long as these; blank ones are left out. Raises `NothingConcluded`."""
    with open_text(path, form.encoding) as text:
        records = _records(path, text, form)
        number = len(next(records, []))
        short = 0  # cells of the row before, if they were too few
        for row in records:
            if len(row) != number:
                if not any(row):
                    continue
                if any(row[number:]):
                    raise NothingConcluded(f"{path} has a row of {len(row)} cells under {number} headings: mend it")
                short = len(row) if len(row) < number else 0
                row = [*row[:number], *[""] * (number - len(row))]  # Excel leaves empty cells at a row's end out
            else:
                short = 0
                if not any(row):
                    continue
            yield row
    if short and not _ends_a_line(path):
        raise NothingConcluded(
            f"{path} ends within its last row, after {short} of {number} cells: is it whole? Export it again"
        )


def _records(path: Path, text: TextIOWrapper, form: CsvForm) -> Iterator[CsvRow]:
    csv.field_size_limit(_LONGEST_CELL)
    if form.says_so:
        text.readline()
    reader = csv.reader(text, delimiter=form.separator, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        where = f"line {reader.line_num}"
        raise NothingConcluded(f"{path} is no whole CSV at {where} ({error}): is it whole? Export it again") from None


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, SEEK_END)
        file.seek(max(file.tell() - 2, 0))
        return file.read().rstrip(b"\0").endswith((b"\n", b"\r"))
