"""What an API lists, as a listing: the rows that were read, under their keys."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from projections.truth.api.config import EVENT, ApiConfig
from projections.truth.api.unfinished import Reached, Unfinished, read_cells
from projections.truth.conclusion import NothingConcluded
from projections.truth.listing import Listing, changed_at, rows_in_parts
from projections.truth.mapping import UNCOMPARED
from projections.truth.tabbed import FileRow

EVENT_COLUMN = "event_id"


def listing_of_rows(config: ApiConfig, kept: Unfinished, reached: Reached) -> Listing:
    """The listing of a whole reading. Its digest is that of the rows, one JSON object of texts a line, keys in order.

    Raises `NothingConcluded` if it lists nobody, or if a key that the configuration names is in no row.
    """
    keys: dict[str, None] = {}
    for row in kept.rows():
        keys.update(dict.fromkeys(row))
    if not reached.rows:
        raise NothingConcluded(f"{config.place} lists nobody: is url right, and does it list without a filter?")
    missing = next((key for key in config.columns if key not in keys), None)
    if missing is not None:
        raise NothingConcluded(
            f"{config.place}: no row has the key {missing!r} that columns names; there is {', '.join(map(repr, keys))}"
        )
    headings = tuple(keys)
    path = kept.rows_file
    form = f"{reached.rows} rows on {reached.pages} page{'' if reached.pages == 1 else 's'}"
    parts = partial(_parts, path, headings)
    changed = changed_at(path)
    return Listing(
        path, form, headings, parts, changed, is_csv=False, kind="api", name=config.place, pages=reached.pages
    )


def configured_columns(config: ApiConfig, listing: Listing) -> Mapping[str, str]:
    """Which column each key is, as the configuration says; all others are not compared."""
    return {key: config.columns.get(key, UNCOMPARED) for key in listing.headings}


def of_rows_alone(listing: Listing) -> Listing:
    """The listing with the keys that its rows came with: the event by which a list was asked for is none of them."""
    return replace(listing, headings=tuple(key for key in listing.headings if key != EVENT))


def with_event_of_list(columns: Mapping[str, str], listing: Listing) -> Mapping[str, str]:
    """The columns, with the event by which a list was asked for where the rows themselves do not say one."""
    if EVENT in listing.headings and EVENT_COLUMN not in columns.values():
        return {**columns, EVENT: EVENT_COLUMN}
    return columns


def _parts(path: Path, headings: tuple[str, ...]) -> Iterator[list[FileRow]]:
    return rows_in_parts(_rows(path, headings))


def _rows(path: Path, headings: tuple[str, ...]) -> Iterator[FileRow]:
    with path.open("rb") as file:
        for row in map(read_cells, file):
            yield [row.get(heading, "") for heading in headings]
