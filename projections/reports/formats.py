"""Writes the answer of a report: a table for people, CSV for spreadsheets, JSON for programs. Pure."""

import csv
import io
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from pydantic_core import to_json

from ingest.cli.terminal import printable, utc
from projections.reports.report import ReportRows
from projections.roster.export.formats import RUN_BY_SHEETS


def table(found: ReportRows) -> str:
    """Columns of even width, numbers to the right, and how many rows there are."""
    cells = [list(found.columns), *([_shown(value) for value in row] for row in found.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    numeric = [
        any(_is_number(row[place]) for row in found.rows)
        and all(row[place] is None or _is_number(row[place]) for row in found.rows)
        for place in range(len(widths))
    ]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    ]
    rows = len(found.rows)
    return "\n".join(
        [lines[0], "  ".join("-" * width for width in widths), *lines[1:], f"({rows} row{'s'[: rows != 1]})"]
    )


def comma_separated(found: ReportRows) -> str:
    """A head of names, null as nothing. Texts that a spreadsheet would run get an apostrophe before them."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(found.columns)
    writer.writerows([_harmless(value) for value in row] for row in found.rows)
    return written.getvalue().removesuffix("\n")


def json(found: ReportRows) -> str:
    """A list of objects, one a row; times and dates as ISO 8601 writes them."""
    rows = [{name: _plain(value) for name, value in zip(found.columns, row, strict=True)} for row in found.rows]
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
