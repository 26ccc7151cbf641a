"""Writes rows into a table with COPY, the fastest way. A row has one text per column; an empty text is null."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import psycopg
from sqlalchemy import Connection

Row = Sequence[str]

_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_ROWS_PER_WRITE = 250


def copy(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Add rows to a table, in the caller's transaction. Without rows no statement is sent."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - the driver of our engines
    statement = f"copy {table} ({', '.join(columns)}) from stdin with (format text, null '')"
    lines = _lines(rows)
    first = next(lines, None)
    if first is None:
        return
    try:
        with driver.cursor().copy(statement.encode()) as target:
            target.write(first)
            for text in lines:
                target.write(text)
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        # PostgreSQL's message quotes the row, and with it a participant's data.
        raise type(error)(f"a row for {table} was refused") from None


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    """The rows in COPY's text format, many rows per text."""
    remaining = iter(rows)
    while chunk := list(islice(remaining, _ROWS_PER_WRITE)):
        joined = "\n".join(map("\t".join, chunk))
        # More separators than the values are joined by: a value holds a tab or a line feed and needs escapes.
        separators = joined.count("\t") + joined.count("\n") + 1
        if "\\" in joined or "\r" in joined or separators != sum(map(len, chunk)):
            joined = "\n".join(["\t".join([value.translate(_ESCAPES) for value in row]) for row in chunk])
        yield joined + "\n"
