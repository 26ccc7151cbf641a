"""An export: its roster, criteria, format and file name, and its bytes as a stream."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster.criteria import Criteria
from projections.roster.export.files import made
from projections.roster.export.formats import Dialect, Format, NotInstalled
from projections.roster.export.rows import csv, ndjson
from projections.roster.reading import driver_of
from projections.roster.roster import Roster


@dataclass(frozen=True, slots=True)
class Export:
    """`position`: the log position that the roster reflects. Raises `NotInstalled`.

    `dialect`: how CSV is written; of a sheet, whether it keeps formulas.
    """

    format: Format
    roster: Roster
    criteria: Criteria
    position: int
    dialect: Dialect

    def __post_init__(self) -> None:
        if not self.format.is_installed:
            raise NotInstalled(self.format.name)

    @property
    def file_name(self) -> str:
        return f"participants-{self.roster.source}-{self.position}.{self.format.name}"


async def exported(connection: AsyncConnection, export: Export) -> AsyncGenerator[bytes]:
    """The file's bytes, read in the connection's transaction. Closing the generator ends the query.
    Raises `AnswersOfThePast`, `DoesNotFit`, `NotMade`.
    """
    async with aclosing(_bytes(await driver_of(connection), export)) as chunks:
        async for chunk in chunks:
            yield chunk


def _bytes(connection: psycopg.AsyncConnection[Any], export: Export) -> AsyncGenerator[bytes]:
    if export.format.name == "ndjson":
        return ndjson(connection, export.roster, export.criteria)
    if export.format.name == "csv":
        return csv(connection, export.roster, export.criteria, export.dialect)
    rows = csv(connection, export.roster, export.criteria, Dialect(keeps_formulas=True))
    suffix = "-keep" if export.format.is_for_sheets and export.dialect.keeps_formulas else ""
    return made(export.format.name + suffix, rows)
