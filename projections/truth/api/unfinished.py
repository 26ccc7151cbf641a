"""What was read of a list that is not finished: its rows in a file, and beside it how far it is, for the next run.

Both have personal data, so their owner alone can read them; they go once the list was compared.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from io import BufferedRandom
from pathlib import Path

import msgspec

from ingest.cli.terminal import printable
from ingest.failures import WrongUsage

_OLDEST = timedelta(days=1)
_PRIVATE = 0o600

CellsByKey = dict[str, str]
read_cells = msgspec.json.Decoder(CellsByKey).decode
_write = msgspec.json.Encoder(order="deterministic").encode


class Reached(msgspec.Struct, frozen=True):
    """How far a reading is. `what`: of which lists it is. `ceiling`: the time that the lists end at.

    `lists`: how many are whole. Of the list that is being read: `place` stands for its next page, `rows_of_list` are
    its rows so far, `total` is what it says of their number, `said_following` whether a page said where the next is.
    `size`: bytes of the rows of all pages.
    """

    what: str
    taken_at: datetime
    ceiling: str
    place: str
    lists: int = 0
    rows_of_list: int = 0
    total: int | None = None
    said_following: bool = False
    pages: int = 0
    rows: int = 0
    size: int = 0


_read_reached = msgspec.json.Decoder(Reached).decode


class Unfinished:
    """The rows of a reading and how far it is. Held by one process at a time. Close it.

    `why`: why an earlier reading is not gone on with, if there is one; None otherwise.
    """

    def __init__(self, beside: Path, what: str, now: datetime) -> None:
        self.rows_file = beside.with_name(f"{beside.name}.rows")
        self._reached_file = beside.with_name(f"{beside.name}.reached")
        self.why: str | None = None
        self._rows = _held(self.rows_file)
        self.reached = self._earlier(what, now)
        self._rows.truncate(0 if self.reached is None else self.reached.size)
        self._rows.seek(0, os.SEEK_END)

    def add(self, rows: Sequence[Mapping[str, str]], reached: Reached) -> None:
        """Keep a page: its rows as cells by key, and how far the reading is with it, but for the size."""
        self._rows.write(b"".join(_write(row) + b"\n" for row in rows))
        self._rows.flush()
        self.reached = msgspec.structs.replace(reached, size=self._rows.tell())
        beside = self._reached_file.with_name(f"{self._reached_file.name}.new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, _PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_write(self.reached))
        beside.replace(self._reached_file)

    def rows(self) -> Iterator[CellsByKey]:
        """The rows that are kept."""
        with self.rows_file.open("rb") as file:
            yield from map(read_cells, file)

    def discard(self) -> None:
        """Let nothing be left of it."""
        self._reached_file.unlink(missing_ok=True)
        self.rows_file.unlink(missing_ok=True)

    def close(self) -> None:
        self._rows.close()

    def _earlier(self, what: str, now: datetime) -> Reached | None:
        """How far an earlier reading of the same came; None if there is none, or none that can be gone on with."""
        try:
            reached = _read_reached(self._reached_file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, msgspec.DecodeError):
            self.why = "it cannot be read"
            return None
        if reached.what != what:
            self.why = "it is of another configuration, or of other events"
        elif now - reached.taken_at > _OLDEST:
            self.why = "it is older than a day"
        elif not self._has_rows_of(reached):
            self.why = "its rows are not whole"
        else:
            return reached
        return None

    def _has_rows_of(self, reached: Reached) -> bool:
        """Whether the file begins with as many rows as it should, each of them readable."""
        number = size = 0
        self._rows.seek(0)
        try:
            while size < reached.size:
                line = self._rows.readline()
                read_cells(line)
                number, size = number + 1, size + len(line)
        except msgspec.DecodeError:
            return False
        return number == reached.rows and size == reached.size


def _held(path: Path) -> BufferedRandom:
    """A file of one's own at the path, which no other process holds. Raises `WrongUsage`."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _PRIVATE)
        except OSError as error:
            raise WrongUsage(
                f"{printable(str(path))} cannot be written: {error.strerror}; give --state-dir another folder"
            ) from None
        file = os.fdopen(descriptor, "r+b")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise WrongUsage(f"another rosterlog reconcile reads {printable(path.stem)} already") from None
        if _is_at(path, descriptor):
            os.fchmod(descriptor, _PRIVATE)  # of one that was there
            return file
        file.close()  # a process that ended meanwhile has removed it: the one that is held has no name any more


def _is_at(path: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False
