"""Which column of the roster each heading of a file is: guessed from the declared names, or as a small file says."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from projections.participants.fields import ANSWERS, COLUMN_NAMES, Fields
from projections.participants.taken import ID_COLUMN, ID_KEY
from projections.truth.conclusion import NothingConcluded

CONFIRMATION = "confirmation_number"  # no column of the roster: a key by which people are found
UNCOMPARED = ""
TARGETS = (ID_COLUMN, CONFIRMATION, *COLUMN_NAMES)
# What our own exports have beside these: what the log knows, and what is no single value.
_OF_EXPORTS = ("first_position", "position", "received_at", "origin", "unlisted_at", "field_errors", "attributes")
_SIGNS = re.compile(r"[\W_]+")
_HEAD = """\
# Which column of the roster each heading is. "" is not compared.
# The columns: {columns}
"""


@dataclass(frozen=True, slots=True)
class HeadingMap:
    """By heading its column, `UNCOMPARED` for none. `unknown`: the headings that nothing was found for."""

    columns: Mapping[str, str]
    unknown: tuple[str, ...] = ()


def guessed(headings: Sequence[str], fields: Fields) -> HeadingMap:
    """The columns of headings, by the column's own name and the keys that it is read from.

    Of several headings of one column the first key's is taken, as the fold does.
    """
    by_name = _names(fields)
    columns: dict[str, str] = {}
    ranks: dict[str, tuple[int, str]] = {}
    unknown = []
    for heading in headings:
        found = by_name.get(_plain(heading)) or _within(heading, by_name)
        if found is None:
            unknown.append(heading)
            continue
        column, rank = found
        before = ranks.get(column)
        columns[heading] = column if before is None or rank < before[0] else UNCOMPARED
        if column != UNCOMPARED and columns[heading] == column:
            if before is not None:
                columns[before[1]] = UNCOMPARED
            ranks[column] = (rank, heading)
    return HeadingMap(columns, tuple(heading for heading in unknown if heading))


def _within(heading: str, by_name: Mapping[str, tuple[str, int]]) -> tuple[str, int] | None:
    """What is within an object or a list that is not compared is not either."""
    outer, dot, _ = heading.partition(".")
    found = by_name.get(_plain(outer)) if dot else None
    return found if found is not None and found[0] == UNCOMPARED else None


def _names(fields: Fields) -> dict[str, tuple[str, int]]:
    """By plain name the column and the rank among the column's names."""
    names = {_plain(name): (UNCOMPARED, 0) for name in (*_OF_EXPORTS, *fields.answers)}
    names[_plain(ANSWERS)] = (UNCOMPARED, 0)
    declared: dict[str, tuple[str, ...]] = {ID_COLUMN: (ID_KEY,), CONFIRMATION: ()}
    declared |= {field.column: field.keys for field in fields.columns}
    for column, keys in declared.items():
        # A file of `ROSTERLOG_FIELDS` names other keys, and an export of ours has the column's own name all the same.
        for rank, name in enumerate((*keys, column)):
            names.setdefault(_plain(name), (column, rank))
    return names


def _plain(heading: str) -> str:
    """The letters and digits of a heading, without case: "First Name" is first_name."""
    return _SIGNS.sub("", heading.casefold())


def read_mapping(path: Path, headings: Sequence[str]) -> HeadingMap:
    """The mapping that a file says. Raises `NothingConcluded` unless it says it of exactly these headings."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise NothingConcluded(f"{path} cannot be read as TOML: {reason}") from None
    wrong = next((column for column in said.values() if column not in (UNCOMPARED, *TARGETS)), None)
    if wrong is not None:
        raise NothingConcluded(f'{path}: {wrong!r} is no column; there is {", ".join(TARGETS)}, or "" for none')
    missing = next((heading for heading in said if heading not in headings), None)
    if missing is not None:
        raise NothingConcluded(f"{path} has the heading {missing!r}, which the file does not: is it another file?")
    columns = [column for column in said.values() if column != UNCOMPARED]
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice is not None:
        raise NothingConcluded(f"{path} has two headings for {twice}: leave one of them")
    return HeadingMap(said, tuple(heading for heading in headings if heading and heading not in said))


def write_mapping(path: Path, mapping: HeadingMap) -> None:
    """Write a mapping down where there is no file yet, the unknown headings as not compared."""
    lines = [_HEAD.format(columns=", ".join(TARGETS))]
    all_ = {**mapping.columns, **dict.fromkeys(mapping.unknown, UNCOMPARED)}
    lines += [f"{_quoted(heading)} = {_quoted(column)}\n" for heading, column in all_.items()]
    with path.open("x", encoding="utf-8") as file:
        file.write("".join(lines))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
