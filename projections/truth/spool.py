"""Keeps the differences that could be written down in a file without a name, until the comparison has ended."""

import tempfile
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple, cast

import msgspec

from ingest.delivery import JsonObject
from projections.truth.drift import DriftKind, RosterDifference

_IN_MEMORY = 1_048_576  # bytes
_write = msgspec.json.Encoder().encode


class SpooledDifference(NamedTuple):
    """A participant who is missing, stale or unlisted. `observed`: by column what is listed, "" for nothing.

    `absence`: how it is known that an unlisted one is gone.
    """

    kind: DriftKind
    participant_id: str
    base: int
    observed: Mapping[str, str]
    absence: JsonObject | None = None


_read = msgspec.json.Decoder(SpooledDifference).decode


class DifferenceSpool:
    """Differences in the order in which they were found. Close it."""

    def __init__(self) -> None:
        self._file = cast("BinaryIO", tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115 - `close` does
        self.size = 0

    def add(self, difference: RosterDifference) -> None:
        """Keep a difference, if it is one that could be written down: of a known id, and not unknowable."""
        if difference.participant_id is None or difference.kind is DriftKind.UNKNOWABLE:
            return
        observed = {column: listed for column, (listed, _) in difference.columns.items()}
        self.put(SpooledDifference(difference.kind, difference.participant_id, difference.base, observed))

    def put(self, spooled: SpooledDifference) -> None:
        """Keep one."""
        self._file.write(_write(spooled) + b"\n")
        self.size += 1

    def differences(self) -> Iterator[SpooledDifference]:
        """All that were kept; read once."""
        self._file.seek(0)
        return map(_read, self._file)

    def close(self) -> None:
        self._file.close()
