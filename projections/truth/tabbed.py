"""Some rows of a file of CSV as one text, which need not be taken apart into cells to become lines."""

from collections.abc import Sequence
from dataclasses import dataclass

FileRow = Sequence[str]


@dataclass(frozen=True, slots=True)
class TabbedRows:
    """Rows of a file, none of which has a quote, in UTF-8 and with a tab between cells.

    `text`: with a line feed between rows. `lines`: the same ones, one by one.
    """

    text: bytes
    lines: list[bytes]

    def __len__(self) -> int:
        return len(self.lines)

    def rows(self) -> list[FileRow]:
        """The cells of each row."""
        return [line.split("\t") for line in self.text.decode().split("\n")]


RowPart = Sequence[FileRow] | TabbedRows
"""Some rows of a file."""


def rows_of(part: RowPart) -> Sequence[FileRow]:
    """The cells of some rows."""
    return part.rows() if isinstance(part, TabbedRows) else part


def tabbed(block: bytes, separator: bytes, cells: int) -> TabbedRows | None:
    """Whole lines of a file; None if these are not rows of so many cells as they stand, with something in each row.

    Raises `UnicodeError` for rows that are not in UTF-8.
    """
    if b'"' in block:
        return None
    text = block.replace(b"\r\n", b"\n")
    if b"\r" in text or (b"\t" in text and separator != b"\t"):
        return None
    text = text.removesuffix(b"\n").replace(separator, b"\t")
    lines = text.split(b"\n")
    tabs = cells - 1
    if {line.count(b"\t") for line in lines} != {tabs} or b"\t" * tabs in lines:
        return None
    text.decode()
    return TabbedRows(text, lines)
