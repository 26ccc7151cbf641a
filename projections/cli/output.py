"""What a command writes its result to: a regular file, replaced once the new one is complete; a device, a pipe."""

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import click

from ingest.failures import Failure, WrongUsage

_STANDARD_OUTPUT, _STANDARD_ERROR = 1, 2
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


@contextmanager
def written(target: Path | None) -> Iterator[Callable[[bytes], None]]:
    """A function that writes to the target; what it wrote is complete once the block ends. None: standard output.

    A regular file or a new name gets a file that its owner alone can read, beside it first and renamed when it is
    complete: after an error or on a full disk the earlier file is still there. A link stays; the file that it names is
    replaced. A device or a pipe is written to. Raises `WrongUsage` or `Failure` with one line that names the target;
    `BrokenPipeError` if the reader of a pipe has gone: with that, a command ends quietly.
    """
    name = "standard output" if target is None else click.format_filename(target)
    with _one_line(name):
        file, replaced = _open(target)

    def write(chunk: bytes) -> None:
        with _one_line(name):
            file.write(chunk)

    try:
        yield write
        with _one_line(name):
            _finish(file, replaced)
    except BaseException:
        with suppress(OSError):  # what is buffered cannot be written either
            file.close()
        if replaced is not None:
            with suppress(OSError):
                Path(file.name).unlink()
        raise


def is_standard_output(target: Path | None) -> bool:
    """Whether the target is this process's standard output, also by another name, such as /dev/stdout."""
    if target is None:
        return True
    try:
        return os.path.samestat(target.stat(), os.fstat(_STANDARD_OUTPUT))
    except OSError:
        return False


def _open(target: Path | None) -> tuple[IO[bytes], Path | None]:
    """The file to write to, and the path that it gets when it is complete; None if that is the target already."""
    if target is None:
        return _duplicate(_STANDARD_OUTPUT), None
    try:
        there = target.stat()
    except FileNotFoundError:
        there = None
    if there is not None:
        for stream in (_STANDARD_OUTPUT, _STANDARD_ERROR):
            with suppress(OSError):  # it may be closed
                if os.path.samestat(there, os.fstat(stream)):
                    return _duplicate(stream), None
        if stat.S_ISDIR(there.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(there.st_mode) or not there.st_nlink:  # without a name there is nothing to rename over
            return os.fdopen(os.open(target, os.O_WRONLY), "wb"), None
    path = Path(os.path.realpath(target))
    return tempfile.NamedTemporaryFile(dir=path.parent, prefix=".rosterlog-", delete=False), path


def _duplicate(stream: int) -> IO[bytes]:
    return os.fdopen(os.dup(stream), "wb")


def _finish(file: IO[bytes], replaced: Path | None) -> None:
    file.flush()
    if replaced is not None:
        os.fsync(file.fileno())
    file.close()
    if replaced is not None:
        Path(file.name).replace(replaced)


@contextmanager
def _one_line(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        kind = Failure if error.errno in _FULL else WrongUsage
        raise kind(f"{name} cannot be written: {error.strerror}") from None
