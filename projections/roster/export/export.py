"""An export: its roster, criteria, format and file name, and its bytes as a stream."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster.compared import read_compared
from projections.roster.criteria import Criteria
from projections.roster.export.files import made
from projections.roster.export.formats import Dialect, Format, NotInstalled
from projections.roster.export.rows import csv_rows, ndjson_rows
from projections.roster.export.table import ExportTable, table_of
from projections.roster.questions import resolved
from projections.roster.reading import driver_of
from projections.roster.roster import Roster
from projections.roster.shown import Shown


@dataclass(frozen=True, slots=True)
class Export:
    """`position`: the log position that the roster reflects. Raises `NotInstalled`.

    `shown`: of each participant. `answers`: as columns, one-hot or rows; None: not by question. `questions`: to these
    alone; None: to all. `dialect`: how CSV is written; of a sheet, whether it keeps formulas. `as_of`: the day or the
    time that was asked for, as it stands in a name.
    """

    format: Format
    roster: Roster
    criteria: Criteria
    position: int
    shown: Shown
    answers: str | None
    dialect: Dialect
    questions: tuple[str, ...] | None = None
    as_of: str | None = None

    def __post_init__(self) -> None:
        if not self.format.is_installed:
            raise NotInstalled(self.format.name)

    @property
    def file_name(self) -> str:
        then = "" if self.as_of is None else f"-as-of-{self.as_of}"
        return f"participants-{self.roster.source}-{self.position}{then}.{self.format.name}"


def shown_in(shown: Shown, answers: str | None, *, has_columns: bool) -> Shown:
    """What an export shows of each participant. `has_columns`: they were asked for by name."""
    # Beside each of some twenty answers a participant would be there twenty times.
    return Shown(("participant_id",)) if answers == "rows" and not has_columns else shown


async def exported(connection: AsyncConnection, export: Export) -> AsyncGenerator[bytes]:
    """The file's bytes, read in the connection's transaction. Closing the generator ends the query.
    Raises `DoesNotFit`, `NotMade`, `ParameterRefused`.
    """
    criteria = await resolved(connection, export.roster, export.criteria)
    table = await table_of(connection, export.roster, criteria, export.shown, export.answers, export.questions)
    compared = await read_compared(connection, export.roster, criteria, export.position)
    async with aclosing(_bytes(await driver_of(connection), export, table, compared.sentence)) as chunks:
        async for chunk in chunks:
            yield chunk


def _bytes(
    connection: psycopg.AsyncConnection[Any], export: Export, table: ExportTable, compared: str
) -> AsyncGenerator[bytes]:
    if export.format.name == "ndjson":
        return ndjson_rows(connection, table)
    if export.format.name == "csv":
        return csv_rows(connection, table, export.dialect)
    rows = csv_rows(connection, table, Dialect(keeps_formulas=True, has_header=False))
    suffix = "-keep" if export.format.is_for_sheets and export.dialect.keeps_formulas else ""
    then, at = ("", "") if export.as_of is None else (f" {export.as_of}", f"{export.as_of}, ")
    remark = f"as of {at}position {export.position}; {compared}"
    return made(export.format.name + suffix, rows, table.titles, remark, f"participants{then}")
