"""Makes one file of CSV on standard input: a process of its own.

`xlsx` marks texts that begin like a formula as text for good, though they are shown as they are; `xlsx-keep` does not.

So the server's memory stays as it is, and its other answers do not wait. The CSV is ours: a head, null as nothing.
"""

import csv
import io
import os
import shutil
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Column, types

from projections.participants.table import COLUMNS
from projections.roster.export.formats import RUN_BY_SHEETS

_TOO_EARLY = datetime(1, 1, 1)  # noqa: DTZ001
_LONGEST_LINE = 16_000_000  # bytes of one participant, of which Parquet's writer reads one at a time at least
_ROWS_TOGETHER = 10_240  # in a group of Parquet's, which is held until it is whole
_MEGABYTES = 160  # what the Parquet writer may hold
_LARGEST_SHEET = 1_048_576  # rows, the head among them
_LONGEST_CELL = 32_767  # characters
_FIRST_DAY_OF_SHEETS = datetime(1900, 3, 1)  # noqa: DTZ001 - sheets know no zones. Before it, they count wrongly.
TOO_MANY = 3  # exit code: more rows than the format holds

_PARQUET_TYPES: dict[type[types.TypeEngine[Any]], str] = {
    types.Integer: "integer",
    types.BigInteger: "bigint",
    types.Date: "date",
    types.DateTime: "timestamptz",
}


def main(name: str, path: Path) -> None:
    makers: dict[str, Callable[[Path], None]] = {
        "parquet": _parquet,
        "xlsx": _xlsx,
        "xlsx-keep": partial(_xlsx, keeps_formulas=True),
    }
    makers[name](path)


def _parquet(path: Path) -> None:
    import duckdb

    columns = ", ".join(f"'{column.name}': '{_PARQUET_TYPES.get(type(column.type), 'varchar')}'" for column in COLUMNS)
    reading, writing = os.pipe()  # standard input may be a socket, which cannot be opened by a name

    def pump() -> None:
        with open(writing, "wb") as pipe:  # noqa: PTH123 - a number, not a path
            shutil.copyfileobj(sys.stdin.buffer, pipe, 65_536)

    threading.Thread(target=pump, daemon=True).start()
    with duckdb.connect() as database:
        database.execute(f"set memory_limit = '{_MEGABYTES}MB'; set threads = 1; set timezone = 'UTC'")
        database.execute(f"set temp_directory = '{path.parent}'")
        database.execute(
            f"copy (select * from read_csv('/dev/fd/{reading}', header = true, columns = {{{columns}}}, "  # noqa: S608
            f"quote = '\"', escape = '\"', delim = ',', max_line_size = {_LONGEST_LINE}, "
            f"buffer_size = {2 * _LONGEST_LINE}))"
            f" to '{path}' (format parquet, compression zstd, row_group_size {_ROWS_TOGETHER})"
        )


def _xlsx(path: Path, *, keeps_formulas: bool = False) -> None:
    import xlsxwriter

    csv.field_size_limit(2**31 - 1)
    rows = csv.reader(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline=""))
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "tmpdir": path.parent}
    with xlsxwriter.Workbook(path, options) as book:
        sheet = book.add_worksheet("participants")
        sheet.freeze_panes(1, 0)
        day, moment = (book.add_format({"num_format": form}) for form in ("yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"))
        quoted = None if keeps_formulas else book.add_format({"quote_prefix": True})
        writers = [_writer(sheet, column, day, moment, quoted) for column in COLUMNS]
        for place, row in enumerate(rows):
            if place == _LARGEST_SHEET:
                sys.exit(TOO_MANY)
            for column, value in enumerate(row):
                if value:
                    (writers[column] if place else sheet.write_string)(place, column, value)


def _writer(sheet: Any, column: Column[Any], day: Any, moment: Any, quoted: Any) -> Callable[[int, int, str], None]:  # noqa: ANN401
    """How a cell of this column is written: numbers, days and times in UTC as such, where a sheet can hold them."""

    def text(place: int, number: int, value: str) -> None:
        cut = value if len(value) <= _LONGEST_CELL else value[: _LONGEST_CELL - 1] + "\u2026"
        sheet.write_string(place, number, cut, quoted if cut.startswith(RUN_BY_SHEETS) else None)

    def whole(place: int, number: int, value: str) -> None:
        sheet.write_number(place, number, int(value))

    def time(place: int, number: int, value: str) -> None:
        try:
            found = datetime.fromisoformat(value).replace(tzinfo=None)
        except ValueError:  # a year that Python does not know
            found = _TOO_EARLY
        if found < _FIRST_DAY_OF_SHEETS:
            text(place, number, value)
        else:
            sheet.write_datetime(place, number, found, day if isinstance(column.type, types.Date) else moment)

    if isinstance(column.type, types.Integer):
        return whole
    return time if isinstance(column.type, types.Date | types.DateTime) else text


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except Exception as error:
        # Its message may quote a row, and so a participant.
        sys.exit(f"the writer of {sys.argv[1]} failed with {type(error).__name__}")
