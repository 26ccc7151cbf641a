"""Formats whose file must be complete before its first byte is sent: a child process makes the file."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from sqlalchemy.types import TypeEngine

from projections.roster.export.convert import HEAD_FILE, ROWS_TOO_LARGE, TOO_MANY, kind_of

_CHUNK = 262_144  # bytes


class DoesNotFit(Exception):
    """There are more or larger rows or columns than a format holds; the message says what to ask for instead."""


class NotMade(Exception):
    """The file could not be made; the message says why, for the operator."""


async def made(
    name: str,
    rows: AsyncGenerator[bytes],
    titles: Sequence[tuple[str, TypeEngine[Any]]],
    remark: str = "",
    sheet: str = "participants",
) -> AsyncGenerator[bytes]:
    """The bytes of a file made from rows in CSV without a header, once it is complete.

    `name`: a format of `convert.main`. `titles`: of the columns, with their types. `remark`: on the whole file, which
    stands beside its rows. `sheet`: what a sheet is called.

    Raises `DoesNotFit`, `NotMade`.
    """
    with _folder() as folder:
        path = Path(folder) / name
        # In a file, since the words of a question may be personal, and every account sees a process's arguments.
        columns = [(title, kind_of(type_)) for title, type_ in titles]
        (Path(folder) / HEAD_FILE).write_bytes(to_json({"columns": columns, "remark": remark, "sheet": sheet}))
        async with aclosing(rows):  # ends the query also if the process fails
            await _convert(name, path, rows)
        with path.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield chunk


def _folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="rosterlog-export-")
    except OSError as error:
        raise NotMade(f"no folder for it in {tempfile.tempdir or 'any place'}: {error.strerror}") from None


async def _convert(name: str, path: Path, rows: AsyncGenerator[bytes]) -> None:
    command = [sys.executable, "-m", "projections.roster.export.convert", name, str(path)]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None  # noqa: S101 - PIPE is passed above
    assert process.stderr is not None  # noqa: S101
    try:
        error_output = asyncio.create_task(process.stderr.read())
        try:
            async for chunk in rows:
                process.stdin.write(chunk)
                await process.stdin.drain()
            process.stdin.close()
        except (BrokenPipeError, ConnectionResetError):
            pass  # the process has ended already; its exit code below says why
        code = await process.wait()
        if code == TOO_MANY:
            raise DoesNotFit("there are more rows than this format holds: filter them, or take another format")
        if code == ROWS_TOO_LARGE:
            raise DoesNotFit(
                "the rows are too large for this format: name fewer columns, filter, or take csv or ndjson"
            )
        if code != 0:
            raise NotMade((await error_output).decode(errors="replace").strip().rpartition("\n")[2])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
