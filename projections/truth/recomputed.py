"""Computes again from a file what the header of an observation says of it: its digest, its rows, what it lists."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from projections.participants.fields import Fields
from projections.truth.buckets import BUCKETS, LineBuckets
from projections.truth.comparison import FileLook, form_of_rows
from projections.truth.conclusion import NothingConcluded
from projections.truth.digests import SetDigests
from projections.truth.lines import RowsRead, lines_of
from projections.truth.listing import Listing, listing_of
from projections.truth.matching import MATCHINGS


@dataclass(frozen=True, slots=True)
class FileProof:
    """Whether each is what the header says."""

    sha256: bool
    rows: bool
    listed_digest: bool

    @property
    def holds(self) -> bool:
        return self.sha256 and self.rows and self.listed_digest

    def as_json(self) -> dict[str, bool]:
        return {"sha256": self.sha256, "rows": self.rows, "listed_digest": self.listed_digest}


def recomputed(path: Path, observation: Mapping[str, Any], fields: Fields) -> FileProof:
    """What a file comes to beside the body of a header, read as it was read then.

    Raises `NothingConcluded` if the header is of no file.
    """
    told = observation["data"]
    reading = told.get("reading")
    if reading is None:
        raise NothingConcluded("the observation is of no file, or of before how it was read was noted: give no --file")
    try:
        listing = listing_of(path)
        is_same = listing.digest() == observation["file_sha256"]
        rows, digest = _read(_look(listing, told, reading), told["scope"], fields)
    except OSError as error:
        raise NothingConcluded(f"{path} cannot be read: {error.strerror}") from None
    return FileProof(is_same, rows == told["rows"], digest == told["listed_digest"])


def _look(listing: Listing, told: Mapping[str, Any], reading: Mapping[str, Any]) -> FileLook:
    places = {place: column for column, place in reading["columns"].items()}
    if max(places) > len(listing.headings):
        raise NothingConcluded(f"{listing.path} has {len(listing.headings)} headings, and the one compared had more")
    columns = {heading: places.get(place, "") for place, heading in enumerate(listing.headings, 1)}
    matching = next(each for each in MATCHINGS.values() if [*each.columns] == told["match"])
    taken_at = datetime.fromisoformat(told["taken_at"])
    empties = frozenset(reading["empty_means_empty"])
    return FileLook(listing, columns, matching, taken_at, tuple(reading["date_forms"]), empties)


def _read(look: FileLook, scope: list[str] | None, fields: Fields) -> tuple[int, str]:
    """How many rows there are, and the digest of what they list."""
    form, values = form_of_rows(None if scope is None else tuple(scope), look, fields)
    digests, seen = SetDigests(values), RowsRead()
    with closing(LineBuckets()) as listed:
        for part in lines_of(look.listing.parts(), form, seen):
            listed.add(part)
        for bucket in range(BUCKETS):
            digests.add(listed.lines(bucket), ())
    return seen.rows, digests.listed
