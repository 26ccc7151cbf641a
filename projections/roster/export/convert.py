"""Makes one file from CSV on standard input, in a process of its own.

So the server's memory does not grow, and its other answers do not wait. The CSV is that of `rows.csv_rows`, without a
header: the titles are in a file, since a title may contain line breaks that a reader of CSV takes for another format.

`xlsx` marks texts that begin like a formula as text permanently, and shows them unchanged; `xlsx-keep` does not.
"""

import csv
import io
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from sqlalchemy import types

from projections.roster.export.guard import begins_formula

_TOO_EARLY = datetime(1, 1, 1)  # noqa: DTZ001
_LONGEST_LINE = 16_000_000  # bytes of one participant's CSV; DuckDB's buffer must hold a line
_ROW_GROUP = 10_240  # rows; Parquet's writer keeps a group in memory until it is complete
_MEGABYTES = 160  # DuckDB's memory limit, before what each column needs
_COLUMNS_PER_MEGABYTE = 4  # a column has buffers of its own, however few rows there are
_GROUPS_IN_MEMORY = 8  # so much of a group's size may be in memory: as it was read, collected, compressed
_LARGEST_SHEET = 1_048_576  # rows, with the header
_LONGEST_CELL = 32_767  # UTF-16 units: a letter beyond the first 65,536 of Unicode, such as an emoji, is two
_FIRST_DAY_OF_SHEETS = datetime(1900, 3, 1)  # noqa: DTZ001 - sheets have no zones; their days before it are wrong
TOO_MANY, ROWS_TOO_LARGE = 3, 4  # exit codes: more rows than the format holds, larger rows than the memory holds

# Beside the file to be made: the titles of its columns, with their kinds; a remark on it; what a sheet is called.
HEAD_FILE = "head.json"
_OF_THE_FILE = "rosterlog"  # the key of the remark among the metadata of a Parquet file
# Of a column, as DuckDB calls its type; all others are texts.
_KINDS: dict[type[types.TypeEngine[Any]], str] = {
    types.Integer: "integer",
    types.BigInteger: "bigint",
    types.Date: "date",
    types.DateTime: "timestamptz",
}
_NUMBERS = ("integer", "bigint")


def kind_of(type_: types.TypeEngine[Any]) -> str:
    """The kind of a column of this type."""
    return _KINDS.get(type(type_), "varchar")


def main(name: str, path: Path) -> None:
    makers: dict[str, Callable[[Path], None]] = {
        "parquet": _parquet,
        "xlsx": _xlsx,
        "xlsx-keep": partial(_xlsx, keeps_formulas=True),
    }
    makers[name](path)


def _head(path: Path) -> tuple[list[tuple[str, str]], str, str]:
    """The titles of the columns with their kinds, the remark, the name of the sheet."""
    head = json.loads(path.with_name(HEAD_FILE).read_bytes())
    return [(title, kind) for title, kind in head["columns"]], head["remark"], head["sheet"]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _parquet(path: Path) -> None:
    import duckdb

    columns, remark, _ = _head(path)
    megabytes = _MEGABYTES + len(columns) // _COLUMNS_PER_MEGABYTE
    reading, writing = os.pipe()  # standard input may be a socket, which DuckDB cannot open by name

    def pump() -> None:
        with open(writing, "wb") as pipe:  # noqa: PTH123 - a file descriptor, not a path
            shutil.copyfileobj(sys.stdin.buffer, pipe, 65_536)

    threading.Thread(target=pump, daemon=True).start()
    with duckdb.connect() as database:
        # One thread keeps the order of the rows; a group can only be bounded by its bytes where it need not be kept.
        database.execute(f"set memory_limit = '{megabytes}MB'; set threads = 1; set preserve_insertion_order = false")
        database.execute(f"set timezone = 'UTC'; set temp_directory = '{path.parent}'")
        try:
            database.execute(
                f"copy (select * from {_csv(reading, columns)}) to '{path}' (format parquet, compression zstd, "  # noqa: S608
                f"row_group_size {_ROW_GROUP}, row_group_size_bytes '{megabytes // _GROUPS_IN_MEMORY}MB', "
                f"kv_metadata {{{_OF_THE_FILE}: {_quoted(remark)}}})"
            )
        except duckdb.OutOfMemoryException:
            sys.exit(ROWS_TOO_LARGE)


def _csv(reading: int, columns: Sequence[tuple[str, str]]) -> str:
    """DuckDB's table of the CSV behind a file descriptor."""
    named = ", ".join(f"{_quoted(title)}: '{kind}'" for title, kind in columns)
    return (
        f"read_csv('/dev/fd/{reading}', header = false, auto_detect = false, columns = {{{named}}}, quote = '\"', "
        f"escape = '\"', delim = ',', new_line = '\\n', max_line_size = {_LONGEST_LINE}, "
        f"buffer_size = {2 * _LONGEST_LINE})"
    )


def _xlsx(path: Path, *, keeps_formulas: bool = False) -> None:
    import xlsxwriter

    csv.field_size_limit(2**31 - 1)
    rows = csv.reader(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline=""))
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "tmpdir": path.parent}
    columns, remark, name = _head(path)
    with xlsxwriter.Workbook(path, options) as book:
        book.set_properties({"comments": remark})
        sheet = book.add_worksheet(name)
        sheet.set_header(f"&L{name}&R&P")  # of each page on paper
        sheet.freeze_panes(1, 0)
        day, time = (book.add_format({"num_format": form}) for form in ("yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"))
        quoted = None if keeps_formulas else book.add_format({"quote_prefix": True})
        writers = []
        for column, (title, kind) in enumerate(columns):
            sheet.write_string(0, column, _plain(_cut(title)), quoted if begins_formula(title) else None)
            writers.append(_writer(sheet, kind, day, time, quoted))
        for row, values in enumerate(rows, 1):
            if row == _LARGEST_SHEET:
                sys.exit(TOO_MANY)
            for column, value in enumerate(values):
                if value:
                    writers[column](row, column, value)


def _writer(sheet: Any, kind: str, day: Any, time: Any, quoted: Any) -> Callable[[int, int, str], None]:  # noqa: ANN401
    """How a cell of this column is written: numbers, days and times in UTC as such, where a sheet can hold them.

    `day`, `time`, `quoted`: the formats of cells.
    """

    def write_text(row: int, number: int, value: str) -> None:
        sheet.write_string(row, number, _plain(_cut(value)), quoted if begins_formula(value) else None)

    def write_number(row: int, number: int, value: str) -> None:
        sheet.write_number(row, number, int(value))

    def write_time(row: int, number: int, value: str) -> None:
        try:
            parsed = datetime.fromisoformat(value).replace(tzinfo=None)
        except ValueError:  # a year that Python's datetime cannot hold
            parsed = _TOO_EARLY
        if parsed < _FIRST_DAY_OF_SHEETS:
            write_text(row, number, value)
        else:
            sheet.write_datetime(row, number, parsed, day if kind == "date" else time)

    if kind in _NUMBERS:
        return write_number
    return write_time if kind in ("date", "timestamptz") else write_text


def _plain(text: str) -> str:
    """The text as XlsxWriter has to be given it: what looks like its own markup it would write as it is, unescaped."""
    return f"<r><t>{escape(text)}</t></r>" if text.startswith("<r>") and text.endswith("</r>") else text


def _cut(text: str) -> str:
    """The text, cut to what a cell holds, between two letters."""
    if 2 * len(text) <= _LONGEST_CELL:
        return text
    units = text.encode("utf-16-le")
    if len(units) <= 2 * _LONGEST_CELL:
        return text
    return units[: 2 * (_LONGEST_CELL - 1)].decode("utf-16-le", errors="ignore") + "\u2026"


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except Exception as error:
        # Its message may quote a row, and so a participant.
        sys.exit(f"the writer of {sys.argv[1]} failed with {type(error).__name__}")
