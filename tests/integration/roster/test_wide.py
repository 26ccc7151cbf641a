"""Parquet of many columns and of large rows is made in bounded memory, in the order of the rows."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import Text

from projections.roster.export.files import DoesNotFit, made


def written(path: Path, columns: int, rows: int, text: str) -> None:
    """Make a file of so many columns and rows, each cell with this text."""
    titles = [(f"question {number}", Text()) for number in range(columns)]

    async def lines() -> AsyncGenerator[bytes]:
        for number in range(rows):
            yield ",".join([str(number), *[text] * (columns - 1)]).encode() + b"\n"

    async def write() -> None:
        with path.open("wb") as file:
            async for chunk in made("parquet", lines(), titles):
                file.write(chunk)

    asyncio.run(write())


@pytest.mark.parametrize(
    ("columns", "rows", "text"), [(1_600, 2, "yes"), (300, 10_300, "no thanks"), (36, 9_000, "x" * 600)]
)
def test_parquet_has_all_rows_in_their_order_however_wide_they_are(
    tmp_path: Path, columns: int, rows: int, text: str
) -> None:
    path = tmp_path / "wide.parquet"
    written(path, columns, rows, text)
    with duckdb.connect() as database:
        found = database.execute(f"select * from '{path}'")
        assert len(found.description or ()) == columns
        assert [row[0] for row in found.fetchall()] == [*map(str, range(rows))]
        last = database.execute(f"select \"question {columns - 1}\", count(*) from '{path}' group by all").fetchall()
    assert last == [(text, rows)]


def test_rows_that_are_too_large_are_refused_with_what_to_ask_for_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same program with less memory: otherwise the rows would have to be of gigabytes."""
    script, program = tmp_path / "script.py", tmp_path / "program"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    script.write_text(
        "import sys\nimport projections.roster.export.convert as one\none._MEGABYTES = 8\n"
        "from pathlib import Path\none.main(sys.argv[3], Path(sys.argv[4]))\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr("projections.roster.export.files.sys.executable", str(program))
    with pytest.raises(DoesNotFit, match="name fewer columns, filter, or take csv or ndjson"):
        written(tmp_path / "large.parquet", 3, 3_000, "x" * 2_000)
