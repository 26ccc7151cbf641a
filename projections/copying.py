"""Writes rows with COPY, the quickest way into a table. A row is a text for each column, empty for null."""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection

_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_AT_A_TIME = 65_536  # characters sent to the server at once


def line(values: Sequence[str]) -> str:
    """One row as COPY reads it."""
    joined = "\t".join(values)
    if "\\" in joined or "\n" in joined or "\r" in joined or joined.count("\t") != len(values) - 1:
        joined = "\t".join([value.translate(_ESCAPES) for value in values])
    return joined + "\n"


def copy(connection: Connection, table: str, columns: Sequence[str], lines: Iterable[str]) -> None:
    """Add rows to a table, in the caller's transaction."""
    copy_on(connection.connection.driver_connection, table, columns, lines)


def copy_on(driver: Any, table: str, columns: Sequence[str], lines: Iterable[str]) -> None:  # noqa: ANN401 - SQLAlchemy's
    """The same on the driver's own connection. Nothing is asked of the database if there is no row."""
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - what our engines are made of
    statement = f"copy {table} ({', '.join(columns)}) from stdin with (format text, null '')"
    waiting: list[str] = []
    size = 0
    rows = iter(lines)
    first = next(rows, None)
    if first is None:
        return
    try:
        with driver.cursor().copy(statement.encode()) as target:
            target.write(first)
            for row in rows:
                waiting.append(row)
                size += len(row)
                if size >= _AT_A_TIME:
                    target.write("".join(waiting))
                    waiting, size = [], 0
            target.write("".join(waiting))
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        # PostgreSQL's own message quotes the row, and so the participant.
        raise type(error)(f"a row for {table} was refused") from None
