"""The formats of an export: name, media type, and the module that has to be installed; how CSV is written."""

from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True, slots=True)
class Format:
    """`module`: has to be installed, by the extra of the same name as the format; None: nothing has to be.

    `is_for_sheets`: the file is opened in spreadsheets, which run texts that begin like a formula.
    """

    name: str
    media: str
    module: str | None = None
    is_for_sheets: bool = False

    @property
    def is_installed(self) -> bool:
        return self.module is None or find_spec(self.module) is not None


FORMATS = {
    format_.name: format_
    for format_ in (
        Format("csv", "text/csv", is_for_sheets=True),
        Format("ndjson", "application/x-ndjson"),
        Format("parquet", "application/vnd.apache.parquet", "duckdb"),
        Format(
            "xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "xlsxwriter",
            is_for_sheets=True,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How CSV is written, for the program that opens it: the separator of cells, the sign before decimals.

    `has_bom`: with a byte order mark, by which Excel knows UTF-8. `keeps_formulas`: texts are left as they are, though
    a spreadsheet would run those that begin like a formula. `has_header`: the titles are the first line.
    """

    separator: str = ","
    decimal: str = "."
    has_bom: bool = False
    keeps_formulas: bool = False
    has_header: bool = True


class NotInstalled(Exception):
    """A format needs an extra that is not installed; the message names it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} needs the extra {name}: pip install 'rosterlog[{name}]'")
