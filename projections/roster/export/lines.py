"""Lines of CSV, quoted so that every program finds the same cells in them. Pure."""

from collections.abc import Sequence


def csv_line(cells: Sequence[object], separator: str) -> str:
    """Cells as one line with its end; None is an empty cell."""
    texts = ["" if cell is None else str(cell) for cell in cells]
    is_blank = texts == [""]  # unquoted it would be an empty line, which programs skip
    return separator.join('""' if is_blank else _quoted(text, separator) for text in texts) + "\n"


def _quoted(text: str, separator: str) -> str:
    """The text, in quotes if any program could end the cell or the line in it, or trim it."""
    is_plain = text.isprintable() and '"' not in text and separator not in text and text == text.strip()
    return text if is_plain else f'"{text.replace(chr(34), chr(34) * 2)}"'
