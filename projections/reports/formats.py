"""Writes the rows of a report: a table for people, CSV for spreadsheets, JSON for programs."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from pydantic_core import to_json

from ingest.cli.terminal import padded, printable, utc, width
from projections.reports.report import ReportRows
from projections.roster.export.formats import Dialect
from projections.roster.export.guard import guarded
from projections.roster.export.lines import csv_line


def table(result: ReportRows) -> str:
    """Columns of even width, numbers to the right, then the number of rows."""
    cells = [list(map(printable, result.columns)), *([_shown(value) for value in row] for row in result.rows)]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    numeric = [
        any(_is_number(row[number]) for row in result.rows)
        and all(row[number] is None or _is_number(row[number]) for row in result.rows)
        for number in range(len(widths))
    ]
    lines = [
        "  ".join(
            padded(cell, size, to_the_right=right) for cell, size, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    ]
    rule = "  ".join("-" * size for size in widths)
    number = "1 row" if len(result.rows) == 1 else f"{len(result.rows)} rows"
    return "\n".join([lines[0], rule, *lines[1:], f"({number})"])


def separated(result: ReportRows, dialect: Dialect) -> str:
    """CSV: a line of names, then the rows; null is empty. Texts that a spreadsheet would run are made harmless."""
    lines = (
        csv_line([_cell(value, dialect, place, len(row)) for place, value in enumerate(row)], dialect.separator)
        for row in (result.columns, *result.rows)
    )
    return ("\ufeff" if dialect.has_bom else "") + "".join(lines).removesuffix("\n")


def json(result: ReportRows) -> str:
    """A list of objects, one per row; times and dates in ISO 8601."""
    rows = [{name: _plain(value) for name, value in zip(result.columns, row, strict=True)} for row in result.rows]
    return to_json(rows, indent=2).decode()


def report_text(result: ReportRows, name: str, dialect: Dialect) -> str:
    """The rows in one of `REPORT_FORMATS`. `dialect`: of CSV."""
    return separated(result, dialect) if name == CSV else _WRITERS[name](result)


CSV = "csv"
_WRITERS: dict[str, Callable[[ReportRows], str]] = {"table": table, "json": json}
REPORT_FORMATS = ("table", CSV, "json")


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal | float)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return utc(value) if isinstance(value, datetime) else printable(str(value))


def _cell(value: object, dialect: Dialect, place: int, places: int) -> object:
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, Decimal | float):
        return str(value).replace(".", dialect.decimal)
    if isinstance(value, str) and not dialect.keeps_formulas:
        # A program that separates elsewhere takes the row's first cell and all that follows it for one.
        return guarded(value, is_plain_safe=place > 0 or places == 1)
    return value


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value
