"""Writes rows with COPY, the quickest way into a table. A row is a text for each column, empty for null."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import psycopg
from sqlalchemy import Connection

Row = Sequence[str]

_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_AT_A_TIME = 250  # rows sent to the server at once


def copy(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Add rows to a table, in the caller's transaction. Nothing is asked of the database if there is none."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - what our engines are made of
    statement = f"copy {table} ({', '.join(columns)}) from stdin with (format text, null '')"
    lines = _lines(rows)
    first = next(lines, None)
    if first is None:
        return
    try:
        with driver.cursor().copy(statement.encode()) as target:
            target.write(first)
            for some in lines:
                target.write(some)
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        # PostgreSQL's own message quotes the row, and so the participant.
        raise type(error)(f"a row for {table} was refused") from None


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    """The rows as COPY reads them, many at a time."""
    waiting = iter(rows)
    while some := list(islice(waiting, _AT_A_TIME)):
        joined = "\n".join(map("\t".join, some))
        separators = joined.count("\t") + joined.count("\n") + 1
        if "\\" in joined or "\r" in joined or separators != sum(map(len, some)):
            joined = "\n".join(["\t".join([value.translate(_ESCAPES) for value in row]) for row in some])
        yield joined + "\n"
