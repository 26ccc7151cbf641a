"""Keeps lines in a few files, each line by its key, so that a million of them are compared a few thousand at a time."""

import tempfile
from collections.abc import Sequence
from typing import BinaryIO, cast
from zlib import crc32

BUCKETS = 32
_BITS = 32 - 5  # of a CRC-32, but for those that tell the bucket
_IN_MEMORY = 40_000  # lines that wait to be written


class LineBuckets:
    """The lines of one side. Files have no name, and go with this object. Close it."""

    def __init__(self) -> None:
        self._waiting: list[list[bytes]] = [[] for _ in range(BUCKETS)]
        self._files: list[BinaryIO] = []
        self._number = 0

    def add(self, lines: Sequence[bytes]) -> None:
        """Add lines."""
        waiting = self._waiting
        for line in lines:
            waiting[crc32(line.split(b"\t", 1)[0]) >> _BITS].append(line)
        self._number += len(lines)
        if self._number >= _IN_MEMORY:
            self._write()
            self._number = 0

    def _write(self) -> None:
        if not self._files:
            self._files = [cast("BinaryIO", tempfile.TemporaryFile()) for _ in range(BUCKETS)]  # noqa: SIM115 - `close` does
        for lines, file in zip(self._waiting, self._files, strict=True):
            file.write(b"".join(lines))
            lines.clear()

    def lines(self, bucket: int) -> list[bytes]:
        """The lines of a bucket, 0 to `BUCKETS` - 1, in the order in which they came."""
        waiting = self._waiting[bucket]
        if not self._files:
            return waiting
        file = self._files[bucket]
        file.seek(0)
        return [*file.read().splitlines(keepends=True), *waiting]

    def close(self) -> None:
        for file in self._files:
            file.close()
