"""What a file lists: its headings and its rows, whatever its form is."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

from projections.truth.conclusion import NothingConcluded
from projections.truth.decoding import encoding_in_words, encoding_of, open_text
from projections.truth.delimited import delimited_rows, form_of, headings_in
from projections.truth.json_rows import json_headings, rows_of_json
from projections.truth.sheet import is_sheet, sheet_rows

FileRows = Iterator[list[str]]
_SEPARATORS = {"\t": "a tab", ",": "commas", ";": "semicolons"}


@dataclass(frozen=True, slots=True)
class Listing:
    """A file. `form`: in words. `rows`: reads them anew, each as long as the headings.

    `is_csv`: whether texts may have the apostrophes that an export of ours puts before formulas.
    """

    path: Path
    form: str
    headings: tuple[str, ...]
    rows: Callable[[], FileRows]
    changed_at: datetime
    is_csv: bool


def listing_of(path: Path) -> Listing:
    """What a file lists. Raises `NothingConcluded` if it cannot be read, `OSError` if it cannot be opened."""
    with path.open("rb") as file:
        changed_at = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
        if is_sheet(file.read(4)):
            with closing(sheet_rows(path)) as first:
                headings = tuple(heading.strip() for heading in next(first, []))
            rows: Callable[[], FileRows] = lambda: islice(sheet_rows(path), 1, None)  # noqa: E731
            return _with_headings(Listing(path, "XLSX, its first sheet", headings, rows, changed_at, is_csv=False))
        encoding = encoding_of(file, str(path))
    words = encoding_in_words(encoding)
    if _begins_json(path, encoding):
        headings = json_headings(path, encoding)
        rows = partial(rows_of_json, path, encoding, headings)
        return _with_headings(Listing(path, f"JSON in {words}", headings, rows, changed_at, is_csv=False))
    form = form_of(path, encoding)
    separator = _SEPARATORS.get(form.separator, repr(form.separator))
    rows = partial(delimited_rows, path, form)
    described = f"CSV in {words}, separated by {separator}"
    return _with_headings(Listing(path, described, headings_in(path, form), rows, changed_at, is_csv=True))


def _with_headings(listing: Listing) -> Listing:
    if not any(listing.headings):
        raise NothingConcluded(f"{listing.path} is empty: it needs headings, and a row per participant")
    named = [heading for heading in listing.headings if heading]
    twice = sorted({heading for heading in named if named.count(heading) > 1})
    if twice:
        raise NothingConcluded(f"{listing.path} has the heading {twice[0]!r} twice: name one of them otherwise")
    return listing


def _begins_json(path: Path, encoding: str) -> bool:
    with open_text(path, encoding) as text:
        return text.read(1_000).lstrip()[:1] in ("[", "{")
