"""Reads participants from JSON: a list of objects, such a list within one object, or an object a line (NDJSON).

A key within an object is called by all keys that lead to it, with dots between, as in `ROSTERLOG_FIELDS`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from ingest.delivery import JsonObject
from ingest.exact_json import number_as_text, read_json
from projections.truth.conclusion import NothingConcluded
from projections.truth.decoding import open_text

_CHUNK = 262_144  # characters
_LARGEST_WHOLE = 100_000_000  # characters of a document that is no list and no object a line
# Of what no column can be read from: true, a list. A text with NUL is none that PostgreSQL stores, so it is unreadable.
NO_VALUE = "\0"
_BLANKS = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder()
_LISTS = ("data", "items", "results", "participants", "registrations")  # under which APIs give a page


def json_headings(path: Path, encoding: str) -> tuple[str, ...]:
    """The keys of all objects, in the order in which they come first. Raises `NothingConcluded`."""
    keys: dict[str, None] = {}
    for participant in _objects(path, encoding):
        keys.update(dict.fromkeys(cells_by_key(participant)))
    return tuple(keys)


def rows_of_json(path: Path, encoding: str, headings: tuple[str, ...]) -> Iterator[list[str]]:
    """A row per object, under these headings. Raises `NothingConcluded`."""
    for participant in _objects(path, encoding):
        flat = cells_by_key(participant)
        yield [flat.get(heading, "") for heading in headings]


def cells_by_key(participant: JsonObject, before: str = "") -> dict[str, str]:
    """The values of an object as cells, by their keys."""
    values: dict[str, str] = {}
    for key, value in participant.items():
        if isinstance(value, dict):
            values |= cells_by_key(value, f"{before}{key}.")
        else:
            values[before + key] = _as_cell(value)
    return values


def _as_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NO_VALUE
    return number_as_text(value)


def _objects(path: Path, encoding: str) -> Iterator[JsonObject]:
    try:
        for value in _values(path, encoding):
            if not isinstance(value, dict):
                raise NothingConcluded(f"{path} has something among its objects that is none: it takes objects alone")
            yield value
    except (ValueError, RecursionError):
        raise NothingConcluded(f"{path} is no whole JSON: is it whole? Export it again") from None


def _values(path: Path, encoding: str) -> Iterator[object]:
    """The items of the list, or the documents of the lines, one after the other."""
    with open_text(path, encoding) as text:
        buffer = text.read(_CHUNK)
        is_list = buffer.lstrip().startswith("[")
        if not is_list and _is_one_document(path, encoding):
            yield from _listed_in(read_json((buffer + text.read(_LARGEST_WHOLE)).encode()))
            return
        begin = buffer.index("[") + 1 if is_list else 0
        while True:
            value, end = _value_at(buffer, begin)
            if end == len(buffer) and (more := text.read(_CHUNK)):  # a number or an object may go on
                buffer, begin = buffer[begin:] + more, 0
            elif value is None:
                _expect_end(buffer[begin:], is_list=is_list)
                return
            else:
                yield read_json(value.encode())
                begin = end


def _value_at(buffer: str, begin: int) -> tuple[str | None, int]:
    """The text of the document that begins here, and its end; None and the end of all if it does not end here."""
    match = _BLANKS.match(buffer, begin)
    begin = match.end() if match else begin
    try:
        _, end = _DECODER.raw_decode(buffer, begin)
    except ValueError:
        return None, len(buffer)
    return buffer[begin:end], end


def _expect_end(rest: str, *, is_list: bool) -> None:
    """Raises `ValueError` if the end of a file is not the end of its document."""
    if rest.strip(" \t\r\n,") != ("]" if is_list else ""):
        raise ValueError


def _is_one_document(path: Path, encoding: str) -> bool:
    """Whether the first line is not a participant by itself."""
    with open_text(path, encoding) as text:
        try:
            return _list_of(read_json(text.readline(_LARGEST_WHOLE).encode())) is not None
        except ValueError:
            return True


def _listed_in(document: object) -> list[object]:
    """The list of participants in a document; the document itself if there is none."""
    listed = _list_of(document)
    return [document] if listed is None else listed


def _list_of(document: object) -> list[object] | None:
    if not isinstance(document, dict):
        return None
    return next((document[name] for name in _LISTS if isinstance(document.get(name), list)), None)
