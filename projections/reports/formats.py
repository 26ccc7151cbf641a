"""Writes the rows of a report: a table for people, CSV for spreadsheets, JSON for programs."""

import csv
import io
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from pydantic_core import to_json

from ingest.cli.terminal import printable, utc
from projections.reports.report import ReportRows
from projections.roster.export.formats import RUN_BY_SHEETS


def table(result: ReportRows) -> str:
    """Columns of even width, numbers to the right, then the number of rows."""
    cells = [list(result.columns), *([_shown(value) for value in row] for row in result.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    numeric = [
        any(_is_number(row[number]) for row in result.rows)
        and all(row[number] is None or _is_number(row[number]) for row in result.rows)
        for number in range(len(widths))
    ]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    ]
    rule = "  ".join("-" * width for width in widths)
    number = "1 row" if len(result.rows) == 1 else f"{len(result.rows)} rows"
    return "\n".join([lines[0], rule, *lines[1:], f"({number})"])


def comma_separated(result: ReportRows) -> str:
    """A line of names, then the rows; null is empty. Texts that a spreadsheet would run get an apostrophe first."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows([_harmless(value) for value in row] for row in result.rows)
    return file.getvalue().removesuffix("\n")


def json(result: ReportRows) -> str:
    """A list of objects, one per row; times and dates in ISO 8601."""
    rows = [{name: _plain(value) for name, value in zip(result.columns, row, strict=True)} for row in result.rows]
    return to_json(rows, indent=2).decode()


WRITERS: dict[str, Callable[[ReportRows], str]] = {"table": table, "csv": comma_separated, "json": json}


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal | float)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return utc(value) if isinstance(value, datetime) else printable(str(value))


def _harmless(value: object) -> object:
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, str) and value[:1] in RUN_BY_SHEETS:
        return f"'{value}"
    return value


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value
