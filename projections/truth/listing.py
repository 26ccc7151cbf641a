"""What a file lists: its headings and its rows, whatever its form is."""

import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import file_digest
from itertools import chain, islice
from pathlib import Path

from projections.truth.conclusion import NothingConcluded
from projections.truth.decoding import encoding_in_words, encoding_of, open_text
from projections.truth.delimited import delimited_parts, form_of, headings_in
from projections.truth.json_rows import json_headings, rows_of_json
from projections.truth.sheet import is_sheet, sheet_rows
from projections.truth.tabbed import FileRow, RowPart, rows_of

_AT_A_TIME = 200  # rows of a part
_SEPARATORS = {"\t": "a tab", ",": "commas", ";": "semicolons"}


@dataclass(frozen=True, slots=True)
class Listing:
    """A file. `form`: in words. `parts`: reads its rows anew, part by part, each as long as the headings.

    `is_csv`: whether texts may have the apostrophes that an export of ours puts before formulas. `kind`: what was read,
    `file` or `api`, of which the file has the rows of so many `pages`; then `name` is its address.
    """

    path: Path
    form: str
    headings: tuple[str, ...]
    parts: Callable[[], Iterator[RowPart]]
    changed_at: datetime
    is_csv: bool
    kind: str = "file"
    name: str = ""
    pages: int | None = None

    @property
    def called(self) -> str:
        """What a message calls it."""
        return self.name or str(self.path)

    def rows(self) -> Iterator[FileRow]:
        """The rows one by one."""
        return chain.from_iterable(map(rows_of, self.parts()))

    def digest(self) -> str:
        """The SHA-256 of the file, in hexadecimal."""
        try:
            with self.path.open("rb") as file:
                return file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise NothingConcluded(f"{self.called} cannot be read any more: {error.strerror}") from None

    @property
    def is_changed(self) -> bool:
        """Whether the file is another one now, or none."""
        try:
            return changed_at(self.path) != self.changed_at
        except OSError:
            return True


def changed_at(path: Path) -> datetime:
    """When a file was changed last."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def listing_of(path: Path) -> Listing:
    """What a file lists. Raises `NothingConcluded` if it cannot be read, `OSError` if it cannot be opened."""
    if stat.S_ISFIFO(path.stat().st_mode) or path.is_char_device():
        raise NothingConcluded(f"{path} is no file, which is read more than once: write it to one first")
    changed = changed_at(path)
    with path.open("rb") as file:
        if is_sheet(file.read(4)):
            with closing(sheet_rows(path)) as first:
                headings = tuple(heading.strip() for heading in next(first, []))
            return _with_headings(
                Listing(path, "XLSX, its first sheet", headings, partial(_of_sheet, path), changed, is_csv=False)
            )
        encoding = encoding_of(file, str(path))
    words = encoding_in_words(encoding)
    if _begins_json(path, encoding):
        headings = json_headings(path, encoding)
        parts = partial(_of_json, path, encoding, headings)
        return _with_headings(Listing(path, f"JSON in {words}", headings, parts, changed, is_csv=False))
    form = form_of(path, encoding)
    separator = _SEPARATORS.get(form.separator, repr(form.separator))
    rows = partial(delimited_parts, path, form)
    described = f"CSV in {words}, separated by {separator}"
    return _with_headings(Listing(path, described, headings_in(path, form), rows, changed, is_csv=True))


def _of_sheet(path: Path) -> Iterator[list[FileRow]]:
    return rows_in_parts(islice(sheet_rows(path), 1, None))


def _of_json(path: Path, encoding: str, headings: tuple[str, ...]) -> Iterator[list[FileRow]]:
    return rows_in_parts(rows_of_json(path, encoding, headings))


def rows_in_parts(rows: Iterator[FileRow]) -> Iterator[list[FileRow]]:
    """Rows in parts, as `Listing.parts` gives them."""
    while part := [*islice(rows, _AT_A_TIME)]:
        yield part


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
