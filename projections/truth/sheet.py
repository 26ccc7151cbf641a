"""Reads the first sheet of an XLSX file: texts, numbers, and days and times as ISO, row by row."""

import re
import zipfile
from array import array
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO
from xml.etree.ElementTree import Element, ParseError, iterparse

from projections.truth.conclusion import NothingConcluded

_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_DAYS_OF_EXCEL = {*range(14, 23), *range(45, 48)}  # formats that a file need not declare
_LITERAL = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')  # of a format, what is no sign of a day or a time
_DAY_SIGNS = re.compile("[dmyhs]", re.IGNORECASE)
_SINCE_1900, _SINCE_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001 - sheets have no zones
_LARGEST_WHOLE = 1e15
_MILLISECOND = timedelta(milliseconds=1)


def is_sheet(beginning: bytes) -> bool:
    """Whether a file that begins so may be one."""
    return beginning.startswith(b"PK\x03\x04")


def sheet_rows(path: Path) -> Generator[list[str]]:
    """All rows of the first sheet, the headings first, each as long as these; blank ones are left out.

    Raises `NothingConcluded`.
    """
    try:
        with zipfile.ZipFile(path) as book:
            yield from _Sheet(book).rows()
    except (zipfile.BadZipFile, ParseError, KeyError, ValueError, IndexError, EOFError, OverflowError):
        raise NothingConcluded(f"{path} is no whole XLSX file: is it whole? Export it again") from None


class _Texts:
    """The texts that cells share, as one piece of bytes: a list of a million would fill the memory."""

    def __init__(self, file: IO[bytes] | None) -> None:
        self._bytes = bytearray()
        self._ends = array("Q", [0])
        if file is None:
            return
        with file:
            for element in _elements(file, "si"):
                self._bytes += _text_in(element).encode()
                self._ends.append(len(self._bytes))

    def at(self, number: int) -> str:
        return self._bytes[self._ends[number] : self._ends[number + 1]].decode()


class _Sheet:
    """The first sheet of an open file."""

    def __init__(self, book: zipfile.ZipFile) -> None:
        workbook = [*_all_of(book.open("xl/workbook.xml"))]
        first = next(element for element in workbook if _name(element) == "sheet")
        related = {element.get("Id"): element for element in _all_of(book.open("xl/_rels/workbook.xml.rels"))}
        target = str(related[first.get(_RELATION)].get("Target"))
        self._book, self._name = book, target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        properties = next((element for element in workbook if _name(element) == "workbookPr"), None)
        is_since_1904 = properties is not None and properties.get("date1904") in ("1", "true")
        self._begin = _SINCE_1904 if is_since_1904 else _SINCE_1900
        names = book.namelist()
        self._texts = _Texts(book.open("xl/sharedStrings.xml") if "xl/sharedStrings.xml" in names else None)
        self._days = _styles_of_days(book) if "xl/styles.xml" in names else frozenset()

    def rows(self) -> Iterator[list[str]]:
        number = 0
        with self._book.open(self._name) as file:
            for element in _elements(file, "row"):
                cells: list[str] = []
                for cell in element:
                    place = _column(cell.get("r", "")) if cell.get("r") else len(cells)
                    cells += [""] * (place - len(cells))
                    cells.append(self._value(cell))
                if any(cells):
                    number = number or len(cells)
                    yield [*cells[:number], *[""] * (number - len(cells))]

    def _value(self, cell: Element) -> str:
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            return _text_in(cell)
        text = next((element.text or "" for element in cell if _name(element) == "v"), "")
        if kind == "s":
            return self._texts.at(int(text))
        if kind != "n" or not text:
            return text
        if cell.get("s", "0") in self._days:
            return self._moment(float(text))
        number = float(text)
        return str(int(number)) if number.is_integer() and abs(number) < _LARGEST_WHOLE else text

    def _moment(self, days: float) -> str:
        moment = self._begin + timedelta(days=days)
        moment = self._begin + round((moment - self._begin) / _MILLISECOND) * _MILLISECOND
        return moment.date().isoformat() if days == int(days) else moment.isoformat()


def _styles_of_days(book: zipfile.ZipFile) -> frozenset[str]:
    """The numbers of the styles in which a number is a day or a time."""
    formats = set(_DAYS_OF_EXCEL)
    styles: Sequence[Element] = ()
    for element in _all_of(book.open("xl/styles.xml")):
        if _name(element) == "numFmt" and _DAY_SIGNS.search(_LITERAL.sub("", element.get("formatCode", ""))):
            formats.add(int(element.get("numFmtId", "0")))
        elif _name(element) == "cellXfs":
            styles = [*element]
    return frozenset(str(place) for place, style in enumerate(styles) if int(style.get("numFmtId", "0")) in formats)


def _column(reference: str) -> int:
    """The place of a cell in its row, from 0, by a reference such as AB12."""
    place = 0
    for letter in reference.rstrip("0123456789"):
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


def _elements(file: IO[bytes], name: str) -> Iterator[Element]:
    """The elements of this name, each forgotten once the next is asked for."""
    around: list[Element] = []
    for event, element in iterparse(file, ("start", "end")):  # noqa: S314 - the operator's own file, and expat bounds what entities may become
        if event == "start":
            around.append(element)
            continue
        around.pop()
        if _name(element) == name:
            yield element
            around[-1].clear()


def _all_of(file: IO[bytes]) -> list[Element]:
    with file:
        return [element for _, element in iterparse(file)]  # noqa: S314


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text_in(element: Element) -> str:
    """The text of a cell with its runs, without what is written small above it."""
    parts: list[str] = []
    for child in element:
        if _name(child) == "t":
            parts.append(child.text or "")
        elif _name(child) in ("r", "is"):
            parts.append(_text_in(child))
    return "".join(parts)
